// Results of a search for a frontier, made up for tests of its page and its picture.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "lab/search/result.h"

namespace keel {

inline FrontierValue frontier_at(double value, double low, double high) {
  FrontierValue f;
  f.value = value;
  f.low = low;
  f.high = high;
  return f;
}

inline FrontierValue bounded_by(double value, const std::string& side) {
  FrontierValue f;
  f.value = value;
  f.censored = side;
  return f;
}

struct FakeArm {
  std::string name = "baseline";
  double best = 0.006, best_loss = 2.4;
  FrontierValue training = frontier_at(0.021, 0.016, 0.028);
  FrontierValue divergence = frontier_at(0.035, 0.029, 0.043);
  int64_t seeds = 3, rates = 12;
  bool fails = true;  // has a run that did not train, for the growth of norms
};

inline GrowthRun fake_growth(double rate, double growth, const std::string& verdict) {
  GrowthRun run;
  run.id = "ab12cd34";
  run.rate = rate;
  run.seed = 1;
  run.verdict = verdict;
  for (const char* name :
       {"attn_logit_max", "out_norm/fc1", "out_norm/fc2", "out_norm/proj", "out_norm/qkv"}) {
    TrialSeries& series = run.series[name];
    for (int64_t step = 0; step < 600; step += 20) {
      series.steps.push_back(step);
      series.values.push_back(0.5 + growth * std::pow(static_cast<double>(step) / 600, 1.5));
    }
  }
  return run;
}

inline ArmResult fake_arm(const FakeArm& fake) {
  ArmResult arm;
  arm.name = fake.name;
  arm.sets = {"model.attention.qk_norm.kind=layer"};
  arm.best_lr = fake.best;
  arm.best_loss = fake.best_loss;
  arm.training_frontier = fake.training;
  arm.divergence_frontier = fake.divergence;
  if (fake.training.value) arm.headroom = *fake.training.value / fake.best;
  arm.seeds = fake.seeds;
  arm.update_ratio = 0.00234;
  arm.step_seconds = 0.0213;
  arm.peak_bytes = 123456789;
  arm.sensitivity = 0.213;
  arm.logit_rms = 0.141;
  arm.branch_rms = 0.332;
  for (int64_t i = 0; i < fake.rates; ++i) {
    const double rate = 0.001 * std::pow(1.5, static_cast<double>(i));
    const double away = std::log(rate / fake.best);
    const bool lost =
        fake.divergence.censored.empty() && fake.divergence.value && rate > *fake.divergence.value;
    const double loss = lost ? 5.6 : fake.best_loss + 0.1 * away * away;
    for (int64_t seed = 0; seed < fake.seeds; ++seed) {
      ArmTrial trial;
      trial.id = fmt::format("{}-{}-{}", fake.name, i, seed);
      trial.rate = rate;
      trial.seed = seed;
      trial.loss = loss + (lost ? 0 : 0.01 * static_cast<double>(seed));
      trial.verdict = lost ? "diverged" : "trains";
      if (lost) {
        trial.reason = "the mean of 20 losses above 3.21 in 54 of 540 steps";
        trial.step = 210;
        trial.stopped_early = true;
      }
      arm.trials.push_back(trial);
    }
    arm.rates.push_back({rate, fake.seeds, loss, lost ? 1.0 : 0.0, 0});
  }
  arm.healthy = fake_growth(fake.best, 1, "trains");
  if (fake.fails) arm.failing = fake_growth(0.2, 9, "diverged");
  return arm;
}

inline ContrastResult fake_contrast(const std::string& name, const std::string& measure,
                                    const std::string& verdict) {
  ContrastResult c;
  c.name = name;
  c.measure = measure;
  c.verdict = verdict;
  c.asked = true;
  c.order_holds = true;
  c.smallest_p = 0.25;
  return c;
}

inline void set_interval(ContrastResult& c, double estimate, double low, double high, double p) {
  c.estimate = estimate;
  c.low = low;
  c.high = high;
  c.p = p;
  c.holm_p = std::min(1.0, 3 * p);
}

// The base, one that goes further, one that never fails; three contrasts.
inline FrontierResult fake_frontier() {
  FrontierResult r;
  r.title = "Ladder on a toy";
  r.key = "optim.lr";
  r.unigram_entropy = 3.21;
  r.bigram_entropy = 2.61;
  r.conditions = {{"steps", "600"}, {"tokens", "4.9M"}, {"warm-up", "60 steps"}};
  FakeArm further{.name = "QK_norm", .best = 0.0101, .best_loss = 2.371};
  further.training = frontier_at(0.074, 0.058, 0.094);
  further.divergence = frontier_at(0.11, 0.03, 0.4);
  further.divergence.ill_determined = true;
  FakeArm stable{.name = "QKV_norm", .best = 0.0114, .best_loss = 2.365, .fails = false};
  stable.training = stable.divergence = bounded_by(0.0865, "right");
  r.arms = {fake_arm({}), fake_arm(further), fake_arm(stable)};
  r.contrasts = {fake_contrast("QK_norm > baseline", "training_frontier", "differs"),
                 fake_contrast("QK_norm = baseline", "best_loss", "not resolved"),
                 fake_contrast("QKV_norm = QK_norm", "training_frontier", "tie")};
  set_interval(r.contrasts[0], 3.52, 2.4, 5.1, 0.0021);
  set_interval(r.contrasts[1], -0.041, -0.094, 0.012, 0.19);
  set_interval(r.contrasts[2], 1.1, 0.9, 1.3, 0.61);
  r.contrasts[0].claim = "reproduced";
  r.contrasts[1].seeds_to_resolve = 8;
  r.rankings = {3, {"QKV_norm", "QK_norm", "baseline"}};
  r.early_stop_agreement = 0.992;
  r.early_stop_saving = 0.38;
  r.notes = {"One toy model of 0.2M parameters."};
  r.commands = {"keel frontier recipes/ladder-toy.toml --out runs/ladder"};
  r.versions = {{"keel", "0.1.0"}};
  for (const ArmResult& arm : r.arms) r.trials += static_cast<int64_t>(arm.trials.size());
  r.seconds = 3511;
  return r;
}

}  // namespace keel
