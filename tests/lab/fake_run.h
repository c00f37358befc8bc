// Run directories made up for tests: real files with invented numbers, written through the same
// classes that training uses.
#pragma once

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <string>

#include "io/fs.h"
#include "train/metrics_store.h"
#include "train/run_dir.h"

namespace keel {

struct FakeRun {
  int64_t steps = 300;
  int64_t total_steps = 300;
  int layers = 4;
  double loss_shift = 0;  // added to every loss, so that runs differ
  double rate = 1e-3;
  int64_t nan_at = -1;  // the step whose loss and gradient norm are not finite
  bool metrics = true;  // without: no metrics.db
  bool known = false;   // without: the config has a key that no version knows
  std::string sample = "In the beginning";
};

// A value in [0, 1) that jumps about with `i` and is the same on every machine.
inline double fake_noise(int64_t i) {
  const uint64_t mixed = (static_cast<uint64_t>(i) + 1) * 0x9E3779B97F4A7C15u;
  return static_cast<double>((mixed ^ (mixed >> 29)) % 10000) / 10000;
}

// What a run measures now and then.
inline void write_fake_probes(MetricsWriter& store, const FakeRun& fake, int64_t step,
                              double share) {
  for (int layer = 0; layer < fake.layers; ++layer) {
    const double height = 1 + layer + share;
    for (const char* group : {"out_norm_qkv", "out_norm_proj", "out_norm_fc1", "out_norm_fc2"}) {
      store.metric(step, fmt::format("{}/layer{:02}", group, layer), 0.2 * height);
    }
    store.metric(step, fmt::format("update_ratio/layer{:02}", layer), 1e-3 * height);
  }
  store.metric(step, "update_ratio/all", 3e-3 * (1 - 0.9 * share));
}

inline void write_fake_step(MetricsWriter& store, const FakeRun& fake, int64_t step) {
  const double share = static_cast<double>(step) / static_cast<double>(fake.total_steps);
  const double nan = std::nan("");
  const double loss = 2.1 + fake.loss_shift + 3.4 * std::exp(-9 * share) + 0.12 * fake_noise(step);
  store.metric(step, "loss", step == fake.nan_at ? nan : loss);
  store.metric(step, "grad_norm", step == fake.nan_at ? nan : 0.4 + fake_noise(step * 7) * 0.3);
  store.metric(step, "lr", fake.rate * std::min(1.0, 10 * share) * (1 - 0.9 * share));
  store.metric(step, "tokens_per_second", 41000 + 900 * fake_noise(step * 3));
  store.metric(step, "tokens", static_cast<double>(step) * 4096);
  for (int layer = 0; layer < fake.layers; ++layer) {
    const double height = 2 + layer + 3 * share * (1 + 0.1 * fake_noise(step + layer));
    store.metric(step, fmt::format("attn_logit_max/layer{:02}", layer), height);
    store.metric(step, fmt::format("attn_entropy/layer{:02}", layer), 4.5 - 0.3 * height);
  }
  if (step % 100 == 0) write_fake_probes(store, fake, step, share);
  if (step % 50 == 0) store.eval(step, "val_loss", loss + 0.05);
  store.commit();
}

// Writes a run at `path`, which must not exist, and returns `path`.
inline std::string make_fake_run(const std::string& path, const FakeRun& fake = {}) {
  const std::string config = fmt::format(
      "[model]\ndim = 128\n{}\n[model.norm]\nkind = \"rms\"\n\n"
      "[[data.sources]]\npath = \"/tmp/x.txt\"\n\n[train]\nsteps = {}\n\n[optim]\nlr = {}\n",
      fake.known ? "" : "name = \"a # b\"\n", fake.total_steps, fake.rate);
  const std::string origins =
      R"({"model.dim": "run.toml:2", "model.norm.kind": "default", "optim.lr": "--set"})";
  const std::string environment =
      R"({"program": "keel 0.1.0", "cpu": {"model": "Test CPU", "threads": 2}})";
  const RunDir run = RunDir::create(
      real_fs(), path,
      {{"config.toml", config}, {"config.origin.json", origins}, {"env.json", environment}});
  if (!fake.metrics) return path;
  MetricsWriter store(run.metrics());
  store.meta("parameters", "1050000");
  store.meta("entropy_floor", "2.05");
  for (int64_t step = 1; step <= fake.steps; ++step) write_fake_step(store, fake, step);
  if (fake.steps > 0) {
    store.sample(fake.steps, fake.sample);
    store.event(0, 1.7e9, "start", "training starts");
    store.event(fake.steps / 2, 1.7e9 + 60, "resume", "went on from a checkpoint");
  }
  return path;
}

}  // namespace keel
