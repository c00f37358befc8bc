// The biases of queries, keys and values, each of which may be missing while one product computes
// all three.
#pragma once

#include <string>

#include "nn/parameters.h"

namespace keel {

// Which linears of an attention layer have a bias.
struct AttentionBias {
  bool q = false, k = false, v = false, out = false;
};

class QkvBias {
 public:
  QkvBias() = default;
  // NAME.q.bias [q], NAME.k.bias and NAME.v.bias [kv].
  QkvBias(Parameters& parameters, const std::string& name, const AttentionBias& sites, int64_t q,
          int64_t kv);
  // f32 [q + 2 kv], or empty where no site has one.
  Var var() const;

 private:
  ParameterRef all_;        // where all three sites have one
  ParameterRef q_, k_, v_;  // else those that there are
  int64_t q_size_ = 0, kv_size_ = 0;
  DeviceKind device_ = DeviceKind::kCpu;
};

}  // namespace keel
