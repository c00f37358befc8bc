// What a save costs the step: the stall of a save beside the training, in plain copies of the same
// bytes by one thread (memcpy, done just before it), and how long the save takes in all. The folder
// is in the working directory: a real disk.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "config/load.h"
#include "core/clock.h"
#include "core/parallel.h"
#include "train/saver.h"

namespace keel {
namespace {

double median(std::vector<double> v) {
  std::nth_element(v.begin(), v.begin() + static_cast<std::ptrdiff_t>(v.size() / 2), v.end());
  return v[v.size() / 2];
}

// Plain copies of all tensors of a trainer, one after the other.
class PlainCopy {
 public:
  explicit PlainCopy(const Trainer& trainer) {
    const StateParts parts = state_parts(trainer);
    for (const auto* tensors : {&parts.model, &parts.state}) {
      for (const StateTensor& t : *tensors) {
        from_.push_back(t.tensor);
        to_.push_back(persistent(t.tensor.shape(), t.tensor.dtype(), DeviceKind::kCpu, "a bench"));
      }
    }
  }
  double seconds() const {
    const double begin = seconds_now();
    for (size_t i = 0; i < from_.size(); ++i) {
      std::memcpy(to_[i].raw(), from_[i].raw(), from_[i].bytes());
    }
    return seconds_now() - begin;
  }

 private:
  std::vector<Tensor> from_, to_;
};

void save_beside_training(benchmark::State& state) {
  const auto threads = static_cast<int>(state.range(1));
  set_num_threads(threads);
  RunConfig c;
  load_config_text("bench.toml",
                   "[data]\nkind = \"random\"\n[model]\ncontext = 64\n[train]\nbatch = 1\n",
                   {"model.dim=" + std::to_string(state.range(0)), "model.layers=4",
                    "model.heads=4", "model.vocab=257"},
                   c);
  const auto data = Dataset::open(
      c.data, {.context = c.model.context, .vocab = c.vocab(), .seed = 0, .lanes = c.sequences()});
  Trainer trainer(c, data.get(), DeviceKind::kCpu, DType::kF32);
  CheckpointState copy(trainer);
  const std::string run = "keel-bench-" + random_suffix();
  real_fs().make_dir(run);
  Saver saver(real_fs(), run, copy, {2, 0}, "");
  const PlainCopy plain(trainer);
  std::vector<double> ratios, saves;
  for (auto _ : state) {
    trainer.step();  // before each, so that both find the caches as a step leaves them
    const double once = plain.seconds();
    trainer.step();
    const double begin = seconds_now();
    saver.begin(trainer, {});
    const double stall = seconds_now() - begin;
    state.SetIterationTime(stall);
    ratios.push_back(stall / once);
    saves.push_back(saver.collect(true)->seconds);
  }
  real_fs().remove_quietly(run);
  set_num_threads(0);
  state.counters["MB"] = static_cast<double>(CheckpointState::copy_bytes(trainer)) * 1e-6;
  state.counters["stall_in_copies"] = median(ratios);
  state.counters["save_ms"] = 1e3 * median(saves);
}
BENCHMARK(save_beside_training)
    ->ArgNames({"dim", "threads"})
    ->ArgsProduct({{128, 512, 1536}, {1, 2}})
    ->Iterations(15)
    ->Unit(benchmark::kMillisecond)
    ->UseManualTime();

}  // namespace
}  // namespace keel
