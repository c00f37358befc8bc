// The whole config of a run: what the TOML file may say.
#pragma once

#include <string>

#include "data/config.h"
#include "models/config.h"
#include "optim/clip.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"
#include "train/task.h"

namespace keel {

// The batch grows from `start` to train.accumulate micro-batches while `tokens` are trained.
struct BatchWarmupConfig final : Config {
  int64_t start = 0, increment = 1, tokens = 0;
  void fields(Fields& f) override;
};

struct TrainConfig final : Config {
  int64_t batch = 16, accumulate = 1, steps = 1000;
  BatchWarmupConfig batch_warmup;
  int64_t seed = 0;
  std::string init;
  int64_t threads = 0;
  std::string dtype = "f32", device = "cpu";
  double ema = 0;
  void fields(Fields& f) override;
  void validate(Errors& errors) const override;
};

// Each is train.seed unless set (-1).
struct SeedConfig final : Config {
  int64_t init = -1, data = -1, dropout = -1;
  void fields(Fields& f) override;
};

struct EvalConfig final : Config {
  int64_t every = 250, tokens = 0;
  void fields(Fields& f) override;
};

struct CheckpointConfig final : Config {
  int64_t every = 1000, keep = 3, keep_every = 0;
  bool async = true;
  std::string on_disk_full = "continue";
  // Whether checkpoints are written beside the training, from a copy. With one save only, at the
  // end, there is nothing to write it beside.
  bool writes_beside() const { return async && every > 0; }
  void fields(Fields& f) override;
  void validate(Errors& errors) const override;
};

struct SampleConfig final : Config {
  int64_t every = 0, tokens = 200;
  std::string prompt;
  double temperature = 0.8;
  void fields(Fields& f) override;
};

struct StopConfig final : Config {
  int64_t patience = 0;
  void fields(Fields& f) override;
};

struct LogConfig final : Config {
  int64_t every = 10, probes = 25;
  void fields(Fields& f) override;
};

struct RunConfig final : Config {
  std::string method = "none";
  ModelConfig model;
  DataConfig data;
  Variant<Task> task{tasks(), "causal_lm"};
  TrainConfig train;
  SeedConfig seed;
  OptimConfig optim;
  ScheduleConfig schedule;
  ClipConfig clip;
  EvalConfig eval;
  CheckpointConfig checkpoint;
  SampleConfig sample;
  StopConfig stop;
  LogConfig log;

  void fields(Fields& f) override;
  void validate(Errors& errors) const override;
  const Presets* presets() const override;

  uint64_t init_seed() const { return pick(seed.init); }
  uint64_t data_seed() const { return pick(seed.data); }
  uint64_t dropout_seed() const { return pick(seed.dropout); }
  // What the data is opened with.
  DatasetArgs dataset_args() const;
  // Token ids of the model: model.vocab, else what the data is known to have; ConfigError if
  // neither says.
  int64_t vocab() const;
  // Sequences in a full global batch.
  int64_t sequences() const { return train.batch * train.accumulate; }
  // Full batches that train.steps steps amount to, rounded up: the length of their schedule.
  int64_t full_steps() const;

 private:
  void validate_mup(Errors& errors) const;
  void validate_qk_clip(Errors& errors) const;
  void validate_schedule(Errors& errors) const;
  void validate_momentum(Errors& errors) const;
  uint64_t pick(int64_t s) const { return static_cast<uint64_t>(s < 0 ? train.seed : s); }
};

}  // namespace keel
