// Slots that kernels fill beside their work: plain numbers, read by whoever watches the run.
#pragma once

#include <cstdint>
#include <vector>

namespace keel {

// One attention layer, one micro-batch: per head, over all rows of the batch.
struct AttentionProbe {
  std::vector<float> logit_max;  // [heads] largest |score| over visible pairs, after the scale
  std::vector<float> entropy;    // [heads] mean entropy of the attention rows, nats
};

struct Probes {
  bool wanted = false;                    // off: kernels do no extra work
  std::vector<AttentionProbe> attention;  // [layers]
};

}  // namespace keel
