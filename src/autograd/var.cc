#include "autograd/var.h"

#include <fmt/format.h>

#include <memory>

#include "core/device_memory.h"
#include "core/error.h"

namespace keel {
namespace {

constexpr size_t kChunkBytes = size_t{1} << 18;

}  // namespace

struct Tape::Chunk {
  std::unique_ptr<std::byte[]> bytes{new std::byte[kChunkBytes]};
  std::unique_ptr<Chunk> next;
};

struct Tape::Rebuild {
  void* closure;
  void (*destroy)(void*);
  Rebuild* previous;
};

// A slot of the tape knows its predecessor so that all of them can be destroyed.
struct TapeSlot : Slot {
  TapeSlot* previous = nullptr;
};

Tape::~Tape() {
  clear();
  while (first_chunk_) delete std::exchange(first_chunk_, first_chunk_->next.release());
}

Tape& Tape::current() {
  static thread_local Tape tape;
  return tape;
}

void* Tape::memory(size_t bytes, size_t align) {
  if (bytes > kChunkBytes) throw Error(fmt::format("tape: a closure of {} bytes", bytes), 1);
  if (!first_chunk_) first_chunk_ = chunk_ = new Chunk;
  used_ = (used_ + align - 1) / align * align;
  if (used_ + bytes > kChunkBytes) {
    if (!chunk_->next) chunk_->next = std::make_unique<Chunk>();
    chunk_ = chunk_->next.get();
    used_ = 0;
  }
  void* p = chunk_->bytes.get() + used_;
  used_ += bytes;
  return p;
}

Slot* Tape::new_slot() {
  auto* s = new (memory(sizeof(TapeSlot), alignof(TapeSlot))) TapeSlot;
  s->previous = static_cast<TapeSlot*>(slots_);
  slots_ = s;
  return s;
}

Node* Tape::new_node(const char* name, std::span<Var* const> outputs, std::span<const Var> inputs) {
  if (inputs.size() > Node::kMaxInputs || outputs.size() > Node::kMaxOutputs) {
    throw Error(fmt::format("{}: {} inputs and {} outputs are more than a node holds", name,
                            inputs.size(), outputs.size()),
                1);
  }
  Node* n = new (memory(sizeof(Node), alignof(Node))) Node;
  n->name_ = name;
  n->device_ = outputs[0]->t.device();
  for (const Var& v : inputs) {
    n->inputs_[n->n_inputs_] = v.slot;
    n->input_shapes_[n->n_inputs_] = v.t.shape();
    n->input_dtypes_[n->n_inputs_++] = v.t.dtype();
  }
  for (Var* v : outputs) {
    n->output_shapes_[n->n_outputs_] = v->t.shape();
    n->outputs_[n->n_outputs_++] = v->slot = new_slot();
  }
  n->previous_ = last_;
  last_ = n;
  return n;
}

void Tape::set_closure(Node* n, void* closure, void (*call)(void*, Node&), void (*destroy)(void*)) {
  n->closure_ = closure;
  n->call_ = call;
  n->destroy_ = destroy;
}

void Tape::set_rebuild(Slot* slot, void* closure, Tensor (*rebuild)(void*),
                       void (*destroy)(void*)) {
  slot->rebuild = rebuild;
  slot->rebuild_closure = closure;
  rebuilds_ = new (memory(sizeof(Rebuild), alignof(Rebuild))) Rebuild{closure, destroy, rebuilds_};
}

// The closure goes first: it may hold the last handle on what the outputs were made from.
void Tape::drop(Node* n) {
  if (n->destroy_) n->destroy_(n->closure_);
  n->destroy_ = nullptr;
  for (int i = 0; i < n->n_outputs_; ++i) {
    n->outputs_[i]->grad = Tensor();
    n->outputs_[i]->value = Tensor();
  }
}

void Tape::backward(const Var& loss, const Tensor& seed) {
  if (!loss.slot) throw Error("backward: nothing that led to this value wants a gradient", 1);
  NoGrad off;
  if (seed) {
    loss.slot->grad = seed;
  } else {
    if (loss.t.size() != 1) {
      throw ShapeError("backward: a value of shape " + loss.shape().str() +
                       " needs a seed; only one element does without");
    }
    loss.slot->grad = like(loss.t);
    constexpr float kOne = 1.0f;
    write(loss.slot->grad, &kOne);
  }
  loss.slot->written = true;
  try {
    for (; last_; last_ = last_->previous_) {
      bool reached = false;
      for (int i = 0; i < last_->n_outputs_; ++i) reached |= last_->outputs_[i]->written;
      if (reached) last_->call_(last_->closure_, *last_);
      drop(last_);
    }
  } catch (...) {
    clear();
    throw;
  }
  reset();
}

void Tape::clear() {
  for (; last_; last_ = last_->previous_) drop(last_);
  reset();
}

void Tape::reset() {
  for (; rebuilds_; rebuilds_ = rebuilds_->previous) rebuilds_->destroy(rebuilds_->closure);
  for (auto* s = static_cast<TapeSlot*>(slots_); s;) {
    TapeSlot* previous = s->previous;
    s->~TapeSlot();
    s = previous;
  }
  slots_ = nullptr;
  last_ = nullptr;
  chunk_ = first_chunk_;
  used_ = 0;
}

namespace {

// A value and its reshaped forms share one slot; each user sees its own shape.
Tensor seen_as(const Tensor& t, const Shape& shape) {
  return t.shape() == shape ? t : t.view(shape);
}

}  // namespace

Saved::Saved(const Var& v) : shape_(v.t.shape()) {
  if (v.slot && v.slot->rebuild)
    slot_ = v.slot;
  else
    t_ = v.t;
}

Tensor Saved::get() const {
  if (!slot_) return t_;
  if (!slot_->value) slot_->value = slot_->rebuild(slot_->rebuild_closure);
  return seen_as(slot_->value, shape_);
}

Tensor Node::dy(int i) const {
  return outputs_[i]->written ? seen_as(outputs_[i]->grad, output_shapes_[i]) : Tensor();
}

Grad Node::grad_of(int i) {
  Slot* s = inputs_[i];
  if (!s) return {};
  if (!s->grad) {
    s->grad = empty(input_shapes_[i], s->wide ? DType::kF32 : input_dtypes_[i], device_);
  }
  return {seen_as(s->grad, input_shapes_[i]), std::exchange(s->written, true)};
}

bool any_gradient(std::span<const Var> inputs) {
  for (const Var& v : inputs) {
    if (v.slot) return true;
  }
  return false;
}

void backward(const Var& loss, const Tensor& seed) { Tape::current().backward(loss, seed); }

}  // namespace keel
