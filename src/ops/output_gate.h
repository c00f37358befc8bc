// y = x * sigmoid(gate): what attention found, let through head by head or value by value (Qiu et
// al., arXiv 2505.06708; the gate comes from the block's input). The gates are kept in the form in
// which they came; y is not kept, it is made again.
#pragma once

#include "autograd/var.h"

namespace keel {

// x [b, t, heads, head_dim] contiguous, f32 or bf16; gate [b, t, heads] or [b, t, heads head_dim]
// of its dtype; y [b, t, heads head_dim]. ShapeError for other shapes.
Var output_gate(const Var& x, const Var& gate);

namespace kernel {
struct OutputGateFwd {
  Tensor x, gate, y;
};
struct OutputGateBwd {
  Tensor dy, x, gate;
  Grad dx, dgate;
};
void output_gate_fwd(Cpu&, const OutputGateFwd&);
void output_gate_bwd(Cpu&, const OutputGateBwd&);
}  // namespace kernel

}  // namespace keel
