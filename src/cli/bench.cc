// keel bench: training steps and nothing else, timed one by one.

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/hand_over.h"
#include "cli/output.h"
#include "cli/rig.h"
#include "core/error.h"
#include "core/parallel.h"
#include "lab/text.h"
#include "train/environment.h"

namespace keel {

int run(const BenchArgs& args) {
  if (args.steps < 1) {
    throw ConfigError(fmt::format("--steps: must be at least 1, is {}", args.steps));
  }
  if (args.discard < 0) {
    throw ConfigError(fmt::format("--discard: must be at least 0, is {}", args.discard));
  }
  hand_over_config(args.config, args.sets);
  Rig rig = open_rig(plan_config(args.config, args.sets));
  const std::vector<MeasuredStep> steps = measure_steps(*rig.trainer, args.discard, args.steps);
  const std::vector<double> seconds = seconds_of(steps);
  const double median = quantile(seconds, 0.5);
  const double low = quantile(seconds, 0.1), high = quantile(seconds, 0.9);
  const double tokens = static_cast<double>(steps.back().result.tokens);
  const Plan& plan = rig.planned.plan;
  const double gflops = plan.flops(1, steps.back().result.tokens) / median / 1e9;
  const int64_t peak = process_bytes("VmHWM");
  for (const std::string& n : rig.planned.notes) say("note: " + n);
  if (args.json) {
    Json ms = Json::object();
    ms.set("median", median * 1e3).set("p10", low * 1e3).set("p90", high * 1e3);
    Json j = Json::object();
    j.set("tokens_per_second", tokens / median).set("step_ms", std::move(ms));
    j.set("gflops", gflops).set("peak_rss_bytes", peak).set("parameters", plan.parameters);
    print_json(j);
    return kExitOk;
  }
  print(fmt::format(
      "{:14}{}\n{:14}{:.0f} tokens/s\n{:14}{:.3f} ms (p10 {:.3f}, p90 {:.3f}) over {} steps\n"
      "{:14}{:.1f} GFLOP/s, {} threads, {}\n{:14}{}\n{:14}{:.4f} to {:.4f}\n",
      "parameters", grouped(plan.parameters), "speed", tokens / median, "step", median * 1e3,
      low * 1e3, high * 1e3, args.steps, "work", gflops, num_threads(),
      rig.planned.config.train.dtype, "peak memory", short_bytes(peak), "loss",
      steps.front().result.loss, steps.back().result.loss));
  return kExitOk;
}

}  // namespace keel
