#include "lab/coord_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "config/load.h"
#include "core/device_memory.h"
#include "core/error.h"
#include "nn/observer.h"
#include "ops/cast.h"
#include "train/environment.h"
#include "train/plan.h"

namespace keel {
namespace {

// `value` at `width`, which it has to be a whole number at.
int64_t in_proportion(const char* key, int64_t value, int64_t width, int64_t dim) {
  if (value * width % dim == 0) return value * width / dim;
  throw ConfigError(fmt::format(
      "--widths: {} is {} at model.dim {} and would not be whole at {}: heads keep their size", key,
      value, dim, width));
}

std::vector<std::string> sets_of_width(const ModelConfig& m, int64_t width) {
  std::vector<std::string> sets{fmt::format("model.dim={}", width), "schedule.kind=constant",
                                "schedule.warmup=0"};
  const int64_t heads = in_proportion("model.heads", m.heads, width, m.dim);
  sets.push_back(fmt::format("model.heads={}", heads));
  if (m.kv_heads > 1) {
    sets.push_back(fmt::format("model.kv_heads={}",
                               in_proportion("model.kv_heads", m.kv_heads, width, m.dim)));
  }
  const int64_t hidden = m.ffn.options_as<FfnOptions>().hidden;
  if (hidden > 0) {
    sets.push_back(fmt::format("model.ffn.hidden={}",
                               in_proportion("model.ffn.hidden", hidden, width, m.dim)));
  }
  return sets;
}

// Mean |value| of every part, in the order in which they are computed.
class Activations final : public PassObserver {
 public:
  void see(std::string_view what, int64_t layer, const Var& value) override {
    const bool of_layer = what != "embedding" && what != "logits";
    names.push_back(of_layer ? fmt::format("blocks.{}.{}", layer, what) : std::string(what));
    const Var wide = cast(value, DType::kF32);
    double sum = 0;
    for (const float x : host_values(wide.t, host_)) sum += static_cast<double>(std::abs(x));
    means.push_back(sum / static_cast<double>(value.t.size()));
  }
  std::vector<std::string> names;
  std::vector<double> means;

 private:
  std::vector<float> host_;
};

// A model under way and the batch that it is looked at with.
class Measured {
 public:
  Measured(const RunConfig& config, const Dataset& data, DeviceKind device, DType compute)
      : trainer_(config, &data, device, compute),
        arena_(device),
        inputs_(config.train.batch, config.model.context, device) {
    Batch batch;
    data.train_batch(0, config.train.batch, batch);
    inputs_.load(batch);
  }
  void step() { trainer_.step(); }
  Activations look() {
    Activations seen;
    const NoGrad off;
    const ArenaScope scope(arena_, step_signature(false, inputs_.masked, false));
    Pass pass = inputs_.pass();
    const Var hidden = trainer_.model().hidden(pass, &seen);
    seen.see("logits", 0, trainer_.model().logits_of(hidden));
    return seen;
  }

 private:
  Trainer trainer_;
  Arena arena_;
  BatchTensors inputs_;
};

// Adds one look's share of the mean over `seeds`.
void add_look(CoordCheck& check, size_t step, size_t width, const Activations& seen) {
  if (check.series.empty()) {
    const std::vector<double> zeros(check.widths.size(), 0.0);
    const size_t looks = static_cast<size_t>(check.steps) + 1;
    for (const std::string& name : seen.names) {
      check.series.push_back({name, std::vector(looks, zeros), std::vector<double>(looks)});
    }
  }
  for (size_t i = 0; i < seen.means.size(); ++i) {
    check.series[i].activations[step][width] += seen.means[i] / static_cast<double>(check.seeds);
  }
}

double steepness(const CoordSeries& s) {
  const double slope = std::abs(s.slopes.back());
  return std::isfinite(slope) ? slope : std::numeric_limits<double>::infinity();
}

}  // namespace

double log_slope(std::span<const int64_t> x, std::span<const double> y) {
  const double n = static_cast<double>(x.size());
  double sx = 0, sy = 0, sxx = 0, sxy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    if (!(y[i] > 0) || !std::isfinite(y[i])) return std::nan("");
    const double u = std::log(static_cast<double>(x[i])), v = std::log(y[i]);
    sx += u;
    sy += v;
    sxx += u * u;
    sxy += u * v;
  }
  return (n * sxy - sx * sy) / (n * sxx - sx * sx);
}

const CoordSeries& CoordCheck::steepest() const {
  return *std::max_element(
      series.begin(), series.end(),
      [](const CoordSeries& a, const CoordSeries& b) { return steepness(a) < steepness(b); });
}

std::vector<RunConfig> configs_of_widths(const std::string& path,
                                         const std::vector<std::string>& sets,
                                         std::span<const int64_t> widths) {
  RunConfig base;
  load_config(path, sets, base);
  std::vector<RunConfig> configs(widths.size());
  for (size_t i = 0; i < widths.size(); ++i) {
    std::vector<std::string> all = sets;
    for (std::string& set : sets_of_width(base.model, widths[i])) all.push_back(std::move(set));
    load_config(path, all, configs[i]);
  }
  return configs;
}

CoordCheck coord_check(const std::vector<RunConfig>& configs, int64_t steps, int64_t seeds) {
  CoordCheck check;
  check.steps = steps;
  check.seeds = seeds;
  for (const RunConfig& c : configs) check.widths.push_back(c.model.dim);
  std::string reason;
  const DType compute = resolve_dtype(configs.front(), reason);
  const DeviceKind device = resolve_device(configs.front());
  const std::unique_ptr<Dataset> data =
      Dataset::open(configs.front().data, configs.front().dataset_args());
  const auto with_vocab = [&](RunConfig c) {
    if (c.model.vocab == 0) c.model.vocab = data->vocab();
    return c;
  };
  for (const RunConfig& c : configs) {
    check_memory(make_plan(with_vocab(c), compute), memory_available_bytes());
  }
  for (size_t width = 0; width < configs.size(); ++width) {
    RunConfig c = with_vocab(configs[width]);
    const uint64_t first_seed = c.init_seed();
    for (int64_t seed = 0; seed < seeds; ++seed) {
      c.seed.init = static_cast<int64_t>((first_seed + static_cast<uint64_t>(seed)) &
                                         std::numeric_limits<int64_t>::max());
      Measured model(c, *data, device, compute);
      add_look(check, 0, width, model.look());
      for (int64_t step = 1; step <= steps; ++step) {
        model.step();
        add_look(check, static_cast<size_t>(step), width, model.look());
      }
    }
  }
  for (CoordSeries& s : check.series) {
    for (size_t i = 0; i < s.slopes.size(); ++i) {
      s.slopes[i] = log_slope(check.widths, s.activations[i]);
    }
  }
  return check;
}

}  // namespace keel
