// The parameters of a model. Modules declare them while the model is built; then all of them are
// laid out in one flat allocation of weights, one of gradients and, for bf16, one of working
// copies. Tensors declared as one stack (q, k, v; gate, up) lie side by side, so that one product
// reads them all, while optimizer, checkpoint and export see the parts by name.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "autograd/var.h"
#include "nn/init/init.h"

namespace keel {

struct Parameter {
  std::string name;  // "blocks.0.attention.q.weight"
  Shape shape;
  Role role;
  Tensor weight, grad;  // f32, views into the flat allocations
  Tensor copy;          // bf16 working copy of a matrix, or empty
  // Where every element starts, whatever the rule for the role says.
  std::optional<double> start = {};
  // What the rule's first values are multiplied by.
  double factor = 1;
};

// What a module holds of a parameter (or a stack of them); its Var is read at each forward.
class ParameterRef {
 public:
  ParameterRef() = default;
  explicit operator bool() const { return var_ != nullptr; }
  // The working copy if there is one, else the weight; an empty Var if there is no parameter.
  Var var() const { return var_ ? *var_ : Var(); }
  // The f32 weight itself, with the same gradient.
  Var master() const { return var_ ? Var(*master_, var_->slot) : Var(); }

 private:
  friend class Parameters;
  ParameterRef(const Var* var, const Tensor* master) : var_(var), master_(master) {}
  const Var* var_ = nullptr;
  const Tensor* master_ = nullptr;
};

// A module with values that follow from first values: a weight's norm, its singular vector.
struct AfterStart {
  virtual ~AfterStart() = default;
  // All parameters have just been filled.
  virtual void start() = 0;
  // Parameters and buffers may have been written from outside.
  virtual void loaded() {}
};

class Parameters {
 public:
  struct Part {
    std::string name;
    Shape shape;
    Role role;
    std::optional<double> start = {};
    double factor = 1;
  };

  struct Buffer {
    std::string name;
    Tensor tensor;
  };

  // `compute`: dtype in which matrices enter products.
  Parameters(DeviceKind device, DType compute);
  Parameters(const Parameters&) = delete;
  Parameters& operator=(const Parameters&) = delete;

  ParameterRef add(std::string name, const Shape& shape, Role role,
                   std::optional<double> start = {});
  // Parts that differ in their first axis only, stacked along it.
  ParameterRef add_stack(const std::vector<Part>& parts);
  // f32 memory that is never trained, every element `start` at first, and what of it a checkpoint
  // holds beside the weights.
  Tensor add_buffer(const Shape& shape, double start = 0);
  void save_buffer(std::string name, Tensor part);
  // `module` outlives this.
  void after_start(AfterStart& module) { after_start_.push_back(&module); }

  // Lays everything out; call once, after all declarations.
  void allocate();
  // First values of all parameters, by rule, seed and name. `branch_factor`: on those matrices
  // whose size decides that of a branch (values, output, feed-forward).
  void fill(const Init& init, uint64_t seed, double branch_factor = 1);
  // Working copies from the weights; after a load. (The optimizer writes both.)
  void refresh_copies();

  const std::vector<Parameter>& list() const { return list_; }
  const std::vector<Buffer>& buffers() const { return buffers_; }
  int64_t buffer_bytes() const { return buffer_bytes_; }
  int64_t count() const;  // elements of all parameters
  const Tensor& flat_weights() const { return weights_; }
  const Tensor& flat_grads() const { return grads_; }
  DType compute() const { return compute_; }
  DeviceKind device() const { return device_; }

  // Does the pass under way train? The model says so at its start, for what is another function in
  // evaluation (BatchNorm).
  void begin_pass(bool training) const { training_ = training; }
  bool training() const { return training_; }

  // Before a micro-batch: no gradient is written yet. After it: those that nothing wrote are 0.
  void begin_gradients();
  void finish_gradients();
  // Does backward reach parameters at all? Off: they are constants.
  void want_gradients(bool wanted);

 private:
  struct Stack {
    size_t first, parts;
    int64_t at = 0;  // element offset in the flat allocation
    Var var;
    Tensor master;
    Slot slot;
  };

  DeviceKind device_;
  DType compute_;
  std::vector<Parameter> list_;
  std::deque<Stack> stacks_;
  std::vector<Buffer> buffers_;
  int64_t buffer_bytes_ = 0;
  std::vector<AfterStart*> after_start_;
  mutable bool training_ = false;
  Tensor weights_, grads_, copies_;
};

}  // namespace keel
