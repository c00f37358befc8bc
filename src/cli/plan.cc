// keel plan: what a run needs, found by the training code itself on a device that computes nothing.

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/hand_over.h"
#include "cli/output.h"
#include "cli/rig.h"
#include "core/clock.h"
#include "lab/stats/summary.h"
#include "lab/text.h"
#include "train/batch_ramp.h"
#include "train/environment.h"

namespace keel {
namespace {

constexpr int64_t kDiscarded = 3, kProbed = 8;

struct Probe {
  double tokens_per_second = 0;
  double seconds = 0;  // of the whole run, evaluations included
};

// Times a few steps, and an evaluation over a few batches; both are then scaled up.
Probe probe(PlannedConfig planned) {
  Rig rig = open_rig(std::move(planned));
  const RunConfig& c = rig.planned.config;
  const auto steps = measure_steps(*rig.trainer, kDiscarded, kProbed);
  const double median = quantile(seconds_of(steps), 0.5);
  Probe p;
  p.tokens_per_second = static_cast<double>(steps.back().result.tokens) / median;
  const BatchRamp ramp(c);
  const int64_t last = kDiscarded + kProbed;
  const int64_t a_step = ramp.sequences_before(last) - ramp.sequences_before(last - 1);
  p.seconds = median * static_cast<double>(ramp.sequences_before(c.train.steps)) /
              static_cast<double>(a_step);
  const int64_t available = rig.data->eval_tokens();
  if (available == 0) return p;
  const int64_t some = 2 * c.train.batch * c.model.context;
  rig.trainer->evaluate(some);
  const double begin = seconds_now();
  const EvalResult timed = rig.trainer->evaluate(some);
  const double per_token = (seconds_now() - begin) / static_cast<double>(timed.tokens);
  const int64_t each = c.eval.tokens > 0 ? std::min(c.eval.tokens, available) : available;
  const int64_t times = c.eval.every > 0 ? (c.train.steps + c.eval.every - 1) / c.eval.every : 1;
  p.seconds += per_token * static_cast<double>(each) * static_cast<double>(times);
  return p;
}

Json plan_json(const Plan& plan) {
  Json bytes = Json::object();
  bytes.set("weights", plan.bytes.weights).set("gradients", plan.bytes.gradients);
  bytes.set("optimizer", plan.bytes.optimizer).set("activations", plan.bytes.activations);
  bytes.set("total", plan.total_bytes());
  Json j = Json::object();
  j.set("parameters", plan.parameters).set("bytes", std::move(bytes));
  j.set("flops_per_token", plan.flops_per_token).set("flops_per_update", plan.update_flops);
  j.set("checkpoint_copy_bytes", plan.copy_bytes);
  return j;
}

std::string memory_line(const char* name, int64_t bytes) {
  return fmt::format("  {:18}{:>10.1f} MiB\n", name, static_cast<double>(bytes) / 1048576.0);
}

std::string update_text(const Plan& p) {
  if (p.update_flops == 0) return "";
  return fmt::format(" ({} of them the update)", short_count(static_cast<double>(p.update_flops)));
}

std::string plan_text(const PlannedConfig& planned) {
  const Plan& p = planned.plan;
  const RunConfig& c = planned.config;
  const int64_t step_tokens = c.sequences() * c.model.context;
  std::string out = fmt::format("parameters          {}\n", grouped(p.parameters));
  out +=
      fmt::format("  feed-forward      {} ({}); {} with four times the width and no gate\n",
                  grouped(p.ffn_parameters), c.model.ffn.kind(), grouped(p.plain_ffn_parameters));
  out += "memory\n" + memory_line("weights", p.bytes.weights) +
         memory_line("gradients", p.bytes.gradients) + memory_line("optimizer", p.bytes.optimizer) +
         memory_line("activations", p.bytes.activations) +
         memory_line("checkpoint copy", p.copy_bytes) +
         memory_line("working memory", p.other_bytes + p.working_bytes) +
         memory_line("total", p.total_bytes());
  const uint64_t available = memory_available_bytes();
  if (available > 0) out += memory_line("available", static_cast<int64_t>(available));
  out +=
      fmt::format("work\n  a token           {} flops\n  a step            {} tokens, {} flops{}\n",
                  short_count(static_cast<double>(p.flops_per_token)), grouped(step_tokens),
                  short_count(p.flops(1, step_tokens)), update_text(p));
  const int64_t run_tokens = BatchRamp(c).sequences_before(c.train.steps) * c.model.context;
  out += fmt::format("  the run           {} steps, {} tokens, {} flops\n", grouped(c.train.steps),
                     grouped(run_tokens), short_count(p.flops(c.train.steps, run_tokens)));
  return out;
}

}  // namespace

int run(const PlanArgs& args) {
  if (args.probe) hand_over_config(args.config, args.sets);
  PlannedConfig planned = plan_config(args.config, args.sets);
  for (const std::string& n : planned.notes) say("note: " + n);
  Json json = plan_json(planned.plan);
  if (!args.json) print(plan_text(planned));
  if (args.probe) {
    const Probe p = probe(std::move(planned));
    json.set("tokens_per_second", p.tokens_per_second).set("seconds", p.seconds);
    if (!args.json) {
      print(fmt::format("time\n  measured          {} tokens/s\n  the run           {}\n",
                        short_count(p.tokens_per_second), short_duration(p.seconds)));
    }
  }
  if (args.json) print_json(json);
  return kExitOk;
}

}  // namespace keel
