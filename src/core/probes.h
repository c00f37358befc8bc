// Slots that kernels fill beside their work: plain numbers, read by whoever watches the run.
#pragma once

#include <cstdint>
#include <vector>

namespace keel {

// One attention layer, one micro-batch: per head, over all rows of the batch.
struct AttentionProbe {
  std::vector<float> logit_max;  // [heads] largest |score| over visible pairs, after the scale
  std::vector<float> entropy;    // [heads] mean entropy of the attention rows, nats
  bool rms_wanted = false;       // off: no pass over the scores for it
  std::vector<float> logit_rms;  // [heads] of the same scores over visible pairs
};

// Root mean squares of what the linears of one layer gave, bias included, before dropout; one
// micro-batch. Of q, k and v together; of gate and up together where the feed-forward is gated.
struct OutputProbe {
  double qkv = 0, proj = 0, fc1 = 0, fc2 = 0;
};

struct Probes {
  bool wanted = false;                    // off: kernels do no extra work
  std::vector<AttentionProbe> attention;  // [layers]
  bool outputs_wanted = false;
  std::vector<OutputProbe> outputs;  // [layers]
  // RMS of what a step changed the matrices of a block by, over their RMS before it; and of all.
  std::vector<double> update_ratio;  // [layers]
  double update_ratio_of_all = 0;
};

}  // namespace keel
