// keel bench: training steps and nothing else, timed one by one, or in turn with those of the same
// config with other settings.

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/hand_over.h"
#include "cli/output.h"
#include "cli/rig.h"
#include "core/error.h"
#include "core/parallel.h"
#include "lab/stats/summary.h"
#include "lab/text.h"
#include "train/environment.h"

namespace keel {
namespace {

void check(const BenchArgs& args) {
  check_number("--steps", args.steps, 1);
  check_number("--discard", args.discard, 0);
}

void say_notes(const Rig& rig) {
  for (const std::string& n : rig.planned.notes) say("note: " + n);
}

int measure(const BenchArgs& args) {
  Rig rig = open_rig(plan_config(args.config, args.sets));
  const std::vector<MeasuredStep> steps = measure_steps(*rig.trainer, args.discard, args.steps);
  const std::vector<double> seconds = seconds_of(steps);
  const double median = quantile(seconds, 0.5);
  const double low = quantile(seconds, 0.1), high = quantile(seconds, 0.9);
  const double tokens = static_cast<double>(steps.back().result.tokens);
  const Plan& plan = rig.planned.plan;
  const double gflops = plan.flops(1, steps.back().result.tokens) / median / 1e9;
  const int64_t peak = process_bytes("VmHWM");
  say_notes(rig);
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

// One thread pool serves both.
void check_threads(const Rig& a, const Rig& b) {
  const int64_t here = a.planned.config.train.threads, there = b.planned.config.train.threads;
  if (here == there) return;
  throw ConfigError(fmt::format(
      "--against: train.threads is {} there and {} here, it must be the same", there, here));
}

// One side as the other is measured against it.
struct Side {
  double milliseconds;  // median
  int64_t parameters, bytes;
  double flops;  // of a step
};

Side side_of(const Rig& rig, const std::vector<double>& seconds) {
  const Plan& plan = rig.planned.plan;
  const RunConfig& c = rig.planned.config;
  return {quantile(seconds, 0.5) * 1e3, plan.parameters, plan.total_bytes(),
          plan.flops(1, c.sequences() * c.model.context)};
}

Json json_of(const Side& side) {
  Json j = Json::object();
  j.set("step_ms", side.milliseconds).set("parameters", side.parameters);
  j.set("planned_bytes", side.bytes).set("flops", side.flops);
  return j;
}

void print_comparison(const Side& here, const Side& there, const std::vector<double>& ratios) {
  const auto line = [](const char* what, double a, double b, const std::string& more) {
    return fmt::format("{:14}{:.3f}x{}\n", what, a / b, more);
  };
  print(fmt::format("{:14}{:.3f}x (middle half of {} pairs {:.3f} to {:.3f}), {:.3f} ms against "
                    "{:.3f} ms\n",
                    "step", quantile(ratios, 0.5), ratios.size(), quantile(ratios, 0.25),
                    quantile(ratios, 0.75), here.milliseconds, there.milliseconds) +
        line("flops", here.flops, there.flops, "") +
        line("memory", static_cast<double>(here.bytes), static_cast<double>(there.bytes),
             fmt::format(", {} against {}, planned", short_bytes(here.bytes),
                         short_bytes(there.bytes))) +
        fmt::format("{:14}{} against {}\n", "parameters", grouped(here.parameters),
                    grouped(there.parameters)));
}

int compare(const BenchArgs& args) {
  std::vector<std::string> against = args.against;
  std::erase(against, "");
  Rig here = open_rig(plan_config(args.config, args.sets));
  Rig there = open_rig(plan_config(args.config, against));
  check_threads(here, there);
  const auto pairs = measure_pairs(*here.trainer, *there.trainer, args.discard, args.steps);
  std::vector<double> a, b, ratios;
  Json list = Json::array();
  for (const StepPair& p : pairs) {
    a.push_back(p.a);
    b.push_back(p.b);
    ratios.push_back(p.a / p.b);
    Json pair = Json::array();
    pair.push(p.a * 1e3).push(p.b * 1e3);
    list.push(std::move(pair));
  }
  const Side mine = side_of(here, a), other = side_of(there, b);
  say_notes(here);
  if (!args.json) {
    print_comparison(mine, other, ratios);
    return kExitOk;
  }
  Json j = Json::object();
  j.set("step_ratio", quantile(ratios, 0.5)).set("step_ms_pairs", std::move(list));
  j.set("here", json_of(mine)).set("against", json_of(other));
  print_json(j);
  return kExitOk;
}

}  // namespace

int run(const BenchArgs& args) {
  check(args);
  hand_over_config(args.config, args.sets);
  return args.against.empty() ? measure(args) : compare(args);
}

}  // namespace keel
