// The tape of values that may carry a gradient. record() (var.h) puts an op's gradient closure on
// the tape of this thread; backward() runs it in reverse (creation order is topological order) and
// empties it as it goes, so that memory is free again as soon as it was used. The tape's own memory
// is reused from step to step.
#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include "core/device.h"
#include "core/tensor.h"

namespace keel {

// The gradient of one value. Parameters own theirs; the tape owns those of intermediate values.
struct Slot;

// A tensor that may carry a gradient.
struct Var {
  Tensor t;
  Slot* slot = nullptr;  // null: a constant

  Var() = default;
  explicit(false) Var(Tensor value, Slot* s = nullptr) : t(std::move(value)), slot(s) {}
  explicit operator bool() const { return static_cast<bool>(t); }
  const Shape& shape() const { return t.shape(); }
};

// Where a kernel puts a gradient: an empty tensor is skipped; add says += instead of =.
struct Grad {
  Tensor t;
  bool add = false;
  explicit operator bool() const { return static_cast<bool>(t); }
};

struct Slot {
  Tensor grad;                           // defined: memory for the gradient
  bool written = false;                  // false: the next writer overwrites
  bool parameter = false, wide = false;  // wide: the gradient of a bf16 value is f32
  // Set by rebuild_with(): makes the value again in backward; `value` caches it until its own node.
  Tensor (*rebuild)(void* closure) = nullptr;
  void* rebuild_closure = nullptr;
  Tensor value;
};

// What an op keeps of an input for its backward: the tensor, or the means to make it again.
class Saved {
 public:
  Saved() = default;
  explicit(false) Saved(const Var& v);
  // The value; only during backward (or while the original is alive).
  Tensor get() const;

 private:
  Tensor t_;
  Slot* slot_ = nullptr;
  Shape shape_;
};

class Node {
 public:
  static constexpr int kMaxInputs = 8;
  static constexpr int kMaxOutputs = 4;

  // Gradient of output i; empty where nothing depends on it.
  Tensor dy(int i = 0) const;
  // Where to put the gradient of input i; empty where none is wanted. Counts as written. Takes
  // memory, so it is called outside of on_device, which kMeta skips.
  Grad grad_of(int i);
  bool wants(int i) const { return inputs_[i] != nullptr; }

 private:
  friend class Tape;
  const char* name_ = "";
  int n_inputs_ = 0, n_outputs_ = 0;
  Slot* inputs_[kMaxInputs] = {};
  Shape input_shapes_[kMaxInputs];
  DType input_dtypes_[kMaxInputs] = {};
  Slot* outputs_[kMaxOutputs] = {};
  Shape output_shapes_[kMaxOutputs];
  DeviceKind device_ = DeviceKind::kCpu;
  void* closure_ = nullptr;
  void (*call_)(void*, Node&) = nullptr;
  void (*destroy_)(void*) = nullptr;
  Node* previous_ = nullptr;
};

class Tape {
 public:
  ~Tape();
  static Tape& current();
  bool recording() const { return no_grad_ == 0; }
  // rebuild_with() takes values of at least this size: to read a smaller one from the cache costs
  // less than to make it again. Bits are the same either way.
  size_t rebuild_from_bytes() const { return rebuild_from_; }

  // Memory for a closure, alive until backward() or clear() has passed it.
  void* memory(size_t bytes, size_t align);
  Node* new_node(const char* name, std::span<Var* const> outputs, std::span<const Var> inputs);
  void set_closure(Node* n, void* closure, void (*call)(void*, Node&), void (*destroy)(void*));
  void set_rebuild(Slot* slot, void* closure, Tensor (*rebuild)(void*), void (*destroy)(void*));
  void backward(const Var& loss, const Tensor& seed);
  // Drops what was recorded (a step that threw, a test).
  void clear();

 private:
  friend class NoGrad;
  friend class RebuildFrom;
  friend void backward(const Var&, const Tensor&);
  struct Chunk;
  struct Rebuild;
  Slot* new_slot();
  void drop(Node* n);
  void reset();

  Node* last_ = nullptr;
  Rebuild* rebuilds_ = nullptr;
  Chunk* first_chunk_ = nullptr;
  Chunk* chunk_ = nullptr;
  size_t used_ = 0;
  Slot* slots_ = nullptr;  // chain of live slots, for their destructors
  int no_grad_ = 0;
  size_t rebuild_from_ = size_t{3} << 19;
};

// Leaves this thread's tape empty, however the scope ends. To be declared after a step's
// ArenaScope: what closures keep must be gone when the arena closes.
struct TapeScope {
  ~TapeScope() { Tape::current().clear(); }
};

// No recording while one of these is alive.
class NoGrad {
 public:
  NoGrad() { ++Tape::current().no_grad_; }
  ~NoGrad() { --Tape::current().no_grad_; }
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;
};

// Another size for Tape::rebuild_from_bytes() while one of these is alive.
class RebuildFrom {
 public:
  explicit RebuildFrom(size_t bytes)
      : before_(std::exchange(Tape::current().rebuild_from_, bytes)) {}
  ~RebuildFrom() { Tape::current().rebuild_from_ = before_; }
  RebuildFrom(const RebuildFrom&) = delete;
  RebuildFrom& operator=(const RebuildFrom&) = delete;

 private:
  size_t before_;
};

}  // namespace keel
