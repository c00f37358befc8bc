// y = x / (1 - p) where a number drawn for the element says keep, else 0 (Srivastava et al., JMLR
// 15, 2014; scaled in training so that nothing changes in evaluation). The draw is a pure function
// of (seed, site, random step, row in the global batch, element), so the backward pass draws again
// and nothing is kept.
#pragma once

#include "autograd/var.h"

namespace keel {

struct StepState;

// Where in the model values are dropped. `state` holds seed, random step and the batch's first row;
// it must not change between forward and backward.
struct DropoutSite {
  float p = 0;          // chance to drop, in [0, 1)
  uint64_t stream = 0;  // stream_of(name of the site)
  const StepState* state = nullptr;
};

// x [b, ...] f32 or bf16, contiguous; y of its dtype. p = 0 returns x itself.
Var dropout(const Var& x, const DropoutSite& site);

namespace kernel {
// Element e of a row (all axes but the first) takes number e / 64 % 4 of Philox block e / 256 * 64
// + e % 64, so that neighbours come from neighbouring blocks and one block serves four vectors.
constexpr int64_t kDropoutLane = 64, kDropoutGroup = 4 * kDropoutLane;
// An element is kept if its number is at least this.
uint32_t dropout_threshold(float p);

// to (+)= kept and scaled `from`: forward from x to y, backward from dy to dx.
struct Dropout {
  Tensor from;
  Grad to;
  DropoutSite site;
};
void dropout(Cpu&, const Dropout&);
}  // namespace kernel

}  // namespace keel
