// A model for coordinate checks: the standard parametrisation and muP beside it.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "io/fs.h"
#include "io/temp_dir.h"
#include "lab/coord_check.h"

namespace keel::test {

inline const char* kCoordConfig = R"(
[model]
dim = 32
layers = 2
heads = 2
context = 32
ffn.kind = "gelu"
[data]
kind = "markov"
symbols = 32
val_tokens = 200
[train]
batch = 16
steps = 100
[optim]
lr = 0.002
decay = "independent"
weight_decay = 1e-4
[schedule]
warmup = 50
)";

// With an output head that starts at 0, as the paper advises (appendix D.2).
inline std::vector<std::string> mup(int64_t base_dim) {
  return {"model.init.kind=mup", "model.init.base_dim=" + std::to_string(base_dim),
          "model.attention.scale=mup", "model.tied=false", "model.init.zero_head=true"};
}

inline CoordCheck checked(const std::vector<std::string>& sets, const std::vector<int64_t>& widths,
                          int64_t steps, int64_t seeds) {
  const TempDir dir;
  const std::string path = dir.path() + "/run.toml";
  real_fs().write_file(path, kCoordConfig);
  return coord_check(configs_of_widths(path, sets, widths), steps, seeds);
}

inline const std::vector<std::string> kStandardAtAHighRate{"optim.lr=0.02"};

inline double max_slope(const CoordCheck& check) {
  return std::abs(check.steepest().slopes.back());
}

}  // namespace keel::test
