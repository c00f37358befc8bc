// y = x * factor, where factor is one trained value for each channel (LayerScale: Touvron et al.,
// arXiv 2103.17239) or a single one (ReZero: Bachlechner et al., arXiv 2003.04887; SkipInit: De and
// Smith, arXiv 2002.10444).
#pragma once

#include "autograd/var.h"

namespace keel {

// x [..., c] f32 or bf16, contiguous; factor f32 [c] or [1]. y has x's dtype.
Var branch_scale(const Var& x, const Var& factor);

namespace kernel {
constexpr int64_t kScaleRows = 64;  // rows in a chunk of the gradient's sum
struct BranchScale {
  Tensor x, factor, y;
};
struct BranchScaleBwd {
  Tensor dy, x, factor;
  Grad dx, dfactor;
  Tensor partial;  // f32 [chunks of kScaleRows rows, c]; empty if dfactor is not wanted
};
void branch_scale_fwd(Cpu&, const BranchScale&);
void branch_scale_bwd(Cpu&, const BranchScaleBwd&);
}  // namespace kernel

}  // namespace keel
