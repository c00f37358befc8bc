// What a run will need, found by running one step on the device kind that computes nothing: the
// same code as training, so there is no second model of memory.
#pragma once

#include <cstdint>

#include "train/trainer.h"

namespace keel {

struct Plan {
  int64_t parameters = 0;
  // What the feed-forward layers would have with four times the width and no gate, and what they
  // have: equal but for rounding.
  int64_t plain_ffn_parameters = 0, ffn_parameters = 0;
  MemoryUse bytes;
  int64_t copy_bytes = 0;       // of the state, that checkpoints are written from
  int64_t other_bytes = 0;      // what else outlives a step: the batch, tables, partial sums
  int64_t working_bytes = 0;    // scratch of kernels and libraries, estimated
  int64_t flops_per_token = 0;  // of a training step without the update, product by product
  int64_t update_flops = 0;     // of the optimizer's products in a step
  // All that tensors outside of the arena take.
  int64_t lasting_bytes() const {
    return bytes.weights + bytes.gradients + bytes.optimizer + copy_bytes + other_bytes;
  }
  int64_t total_bytes() const { return lasting_bytes() + bytes.activations + working_bytes; }
  double flops(int64_t steps, int64_t tokens) const {  // of so many steps of so many tokens in all
    return static_cast<double>(update_flops) * static_cast<double>(steps) +
           static_cast<double>(flops_per_token) * static_cast<double>(tokens);
  }
};

// `compute` is the dtype in force. Opens no data. Throws ConfigError when the vocabulary is
// unknown.
Plan make_plan(const RunConfig& config, DType compute);

// MemoryError with the numbers when the plan needs more than is available (0: not known).
void check_memory(const Plan& plan, uint64_t available_bytes);

// f32, or bf16 when asked for and the processor has it; DeviceError otherwise. "auto" takes a few
// training steps of the model in both, on random tokens, and bf16 if it is at least a tenth faster;
// `reason` says so.
DType resolve_dtype(const RunConfig& config, std::string& reason);
// DeviceError for cuda in a program without it.
DeviceKind resolve_device(const RunConfig& config);

}  // namespace keel
