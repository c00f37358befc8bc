// How parameters start. A rule says the distribution for a parameter's role; the numbers are a pure
// function of (seed, name, element), so models that share a tensor start equal in it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "config/registry.h"
#include "core/shape.h"
#include "core/tensor.h"

namespace keel {

enum class Role : uint8_t {
  kEmbedding,       // token table
  kPosition,        // learned position table
  kLinear,          // a projection inside a block
  kResidualOutput,  // a projection that writes to the residual stream
  kHead,            // untied output head
  kGain,            // starts at 1
  kBias,            // starts at 0
  kValue,           // the projection to values
  kHidden,          // what enters a feed-forward layer (up, gate)
};

// The matrices whose size decides that of a branch: a linear map of them, softmax and norms aside.
inline bool sizes_branch(Role role) {
  return role == Role::kValue || role == Role::kHidden || role == Role::kResidualOutput;
}

struct Start {
  enum class Kind : uint8_t { kConstant, kNormal, kUniform } kind = Kind::kConstant;
  double value = 0;  // the constant, the standard deviation, or half the width of the interval
};

struct InitArgs {
  int64_t layers = 1, dim = 1;
  // Whether rules that shrink outputs to the residual stream with depth may do so; false where the
  // placement weighs its branches by depth itself.
  bool shrink_by_depth = true;
};

// A rule for first values. A parametrisation (muP) is one that also says how the rate of a
// parameter and the logits go with the width.
struct Init {
  virtual ~Init() = default;
  virtual Start start(Role role, const Shape& shape) const = 0;
  // What an Adam-like optimizer's rate for a parameter is multiplied with.
  virtual double rate_factor(Role, const Shape&) const { return 1; }
  // What the output head's logits are multiplied with.
  virtual double output_multiplier() const { return 1; }
};

// Gains start at 1, biases at 0; a matrix as `matrix` says.
Start start_of(Role role, const Start& matrix);

const Registry<Init, const InitArgs&>& inits();

// Fills f32 `weight` with the numbers of (seed, name).
void fill_start(const Start& start, uint64_t seed, const std::string& name, const Tensor& weight);

}  // namespace keel
