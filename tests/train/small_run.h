// A run small enough for a test: config from TOML text, its data, a trainer.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "backend/cpu/gemm.h"
#include "config/load.h"
#include "core/error.h"
#include "core/parallel.h"
#include "train/trainer.h"

namespace keel::test {

// What a test of the trainer needs beside a model: nothing else is written or read.
inline const char* kMarkovRun = R"(
[model]
dim = 32
layers = 2
heads = 4
context = 24
[data]
kind = "markov"
val_tokens = 200
[train]
batch = 3
steps = 20
[optim]
lr = 0.01
[schedule]
warmup = 4
[clip]
norm = 0.5
[log]
probes = 0
)";

struct SmallRun {
  RunConfig config;
  std::unique_ptr<Dataset> data;
  std::unique_ptr<Trainer> trainer;

  explicit SmallRun(const std::string& toml, const std::vector<std::string>& sets = {},
                    DType compute = DType::kF32) {
    load_config_text("test.toml", toml, sets, config);
    data = Dataset::open(config.data, config.dataset_args());
    trainer = std::make_unique<Trainer>(config, data.get(), DeviceKind::kCpu, compute);
  }
  Trainer& operator*() const { return *trainer; }
  Trainer* operator->() const { return trainer.get(); }
  Parameters& parameters() const { return trainer->model().parameters(); }
};

inline const Parameter& parameter(const Parameters& all, const std::string& name) {
  for (const Parameter& p : all.list()) {
    if (p.name == name) return p;
  }
  throw ConfigError("no parameter " + name);
}

// The pool as it was before, at the end of a scope.
class Threads {
 public:
  explicit Threads(int n) : before_(num_threads()) { set_num_threads(n); }
  ~Threads() { set_num_threads(before_); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  int before_;
};

// A fixture for tests that run in both dtypes.
class InDType : public testing::TestWithParam<DType> {
 protected:
  void SetUp() override {
    if (GetParam() == DType::kBf16 && !cpu_has_bf16()) {
      GTEST_SKIP() << "no bf16 products here: oneDNN may use " << onednn_isa();
    }
  }
};
inline const auto kDTypes = testing::Values(DType::kF32, DType::kBf16);
inline std::string dtype_suffix(const testing::TestParamInfo<DType>& info) {
  return std::string(name_of(info.param));
}

}  // namespace keel::test
