// y = f(gate) * up, the gated feed-forward forms (Shazeer, arXiv 2002.05202): f = silu is SwiGLU,
// gelu GEGLU, relu ReGLU, sigmoid GLU, identity bilinear, elu the gated ELU. Gate and up come side
// by side from one product. Only that input is kept for the backward pass; y is made again.
#pragma once

#include "ops/activation.h"

namespace keel {

// gate_up [..., 2 h] f32 or bf16, contiguous: the gate in the first h values of the last axis, up
// in the others. y [..., h] has its dtype. ShapeError if the last axis is odd.
Var gated(const Var& gate_up, Activation kind);

namespace kernel {
struct GatedFwd {
  Tensor gate_up, y;
  Activation kind;
};
// dgate_up: both halves in one pass.
struct GatedBwd {
  Tensor dy, gate_up;
  Grad dgate_up;
  Activation kind;
};
void gated_fwd(Cpu&, const GatedFwd&);
void gated_bwd(Cpu&, const GatedBwd&);
}  // namespace kernel

}  // namespace keel
