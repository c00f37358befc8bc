// y = f(x) for each element, f one of the activations of a feed-forward layer. Formulas, with
// derivatives and sources: activation_math.h. Only x is kept for the backward pass; y is made
// again.
#pragma once

#include "autograd/var.h"

namespace keel {

// Gelu is the tanh form (as GPT-2 has it), GeluErf the exact one; sigmoid and identity are there
// for the gated forms (GLU, bilinear).
enum class Activation : uint8_t {
  kGelu,
  kGeluErf,
  kRelu,
  kRelu2,
  kElu,
  kSilu,
  kSigmoid,
  kIdentity
};

// x of any shape, f32 or bf16, contiguous; y has its dtype.
Var activation(const Var& x, Activation kind);

namespace kernel {
struct ActivationFwd {
  Tensor x, y;
  Activation kind;
};
struct ActivationBwd {
  Tensor dy, x;
  Grad dx;
  Activation kind;
};
void activation_fwd(Cpu&, const ActivationFwd&);
void activation_bwd(Cpu&, const ActivationBwd&);
}  // namespace kernel

}  // namespace keel
