// The norm of queries and keys over each head, after the projection and before RoPE (Henry et al.,
// arXiv 2010.04245; Dehghani et al., arXiv 2302.05442). Gains are shared by the heads.
#pragma once

#include <string>

#include "nn/parameters.h"
#include "ops/rope.h"

namespace keel {

struct QkNormArgs {
  Parameters& parameters;
  std::string name;
  int64_t head_dim;
};

struct HeadNorm {
  virtual ~HeadNorm() = default;
  virtual QkNorm kind() const = 0;
  virtual float eps() const = 0;
  virtual QkNormParameters parameters() const = 0;
};

const Registry<HeadNorm, const QkNormArgs&>& qk_norms();
using QkNormChoice = Variant<HeadNorm, const QkNormArgs&>;

}  // namespace keel
