// y = cap tanh(scale x / cap): the soft cap of the output logits (Gemma 2, arXiv 2408.00118,
// section 2), and a factor in front of it (1 / width of muP). Only y is kept for the backward pass.
#pragma once

#include "autograd/var.h"

namespace keel {

// x f32, contiguous, any shape. cap 0: no cap, y = scale x.
Var softcap(const Var& x, float scale, float cap);

namespace kernel {
struct SoftcapFwd {
  Tensor x, y;
  float scale, cap;
};
struct SoftcapBwd {
  Tensor dy, y;
  Grad dx;
  float scale, cap;
};
void softcap_fwd(Cpu&, const SoftcapFwd&);
void softcap_bwd(Cpu&, const SoftcapBwd&);
}  // namespace kernel

}  // namespace keel
