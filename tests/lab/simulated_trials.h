// Trials whose outcomes are made up from frontiers that are known: a source for the search that
// trains nothing.
#pragma once

#include <cmath>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "lab/search/search.h"

namespace keel::test {

// H1 = 3 nats, 4 before training, 1000 steps with 100 of warm-up.
constexpr double kSimulatedH1 = 3, kSimulatedStart = 4;
constexpr int64_t kSimulatedSteps = 1000;

// A run that came to `val_loss`, or that diverged where `lost`: its mean goes above H1 half-way and
// stays there. `stopped`: as the early stop leaves it.
inline TrialResult simulated_result(double val_loss, bool lost, bool stopped) {
  TrialResult r;
  r.steps = kSimulatedSteps;
  for (int64_t s = 0; s < kSimulatedSteps; ++s) {
    const bool up = lost && s >= kSimulatedSteps / 2;
    const double share = static_cast<double>(s) / static_cast<double>(kSimulatedSteps);
    const double down = kSimulatedStart + (val_loss - kSimulatedStart) * std::min(1.0, 4 * share);
    r.losses.push_back(up ? 4.4 : down);
  }
  r.losses[0] = kSimulatedStart;
  r.val_loss = lost ? 3.9 : val_loss;
  if (stopped) {
    r.losses.resize(800);
    r.val_loss = std::nan("");
    r.ended = TrialEnd::kStoppedEarly;
    r.reason = "lost";
  }
  r.numbers["warmup_steps"] = 100;
  r.numbers["unigram_entropy"] = kSimulatedH1;
  r.seconds = 10;
  r.step_seconds = 0.01;
  r.peak_bytes = 1000;
  return r;
}

// What a trial comes to: its loss, and whether it is lost.
struct SimulatedEnd {
  double loss = 2;
  bool lost = false;
  bool fails = false;  // by itself
};

class SimulatedTrials final : public TrialSource {
 public:
  using End = std::function<SimulatedEnd(size_t arm, double value, int64_t seed)>;
  explicit SimulatedTrials(End end) : end_(std::move(end)) {}

  TrialPlan plan(size_t arm, double value, int64_t seed) override {
    TrialPlan p;
    p.id = std::to_string(arm) + "/" + std::to_string(value) + "/" + std::to_string(seed);
    p.arm = std::to_string(arm);
    p.seed = seed;
    asked_[p.id] = {arm, value, seed};
    return p;
  }

  std::string refusal(double value) override {
    return value > refused_above ? "too much of it" : "";
  }

  bool run(const std::vector<TrialPlan>& plans, bool early_stop) override {
    ++rounds;
    for (const TrialPlan& p : plans) {
      if (done_.contains(p.id)) continue;
      if (left == 0) return false;
      --left;
      ++ran;
      const bool twin = p.id.ends_with("-full");
      const Asked a = asked_.at(twin ? p.id.substr(0, p.id.size() - 5) : p.id);
      const SimulatedEnd e = end_(a.arm, a.value, a.seed);
      TrialRow row{p, e.fails ? TrialState::kFailed : TrialState::kDone, 0, "", {}};
      if (!e.fails) row.result = simulated_result(e.loss, e.lost, e.lost && early_stop);
      done_[p.id] = row;
    }
    return true;
  }

  std::vector<TrialRow> rows(const std::vector<TrialPlan>& plans) override {
    std::vector<TrialRow> out;
    for (const TrialPlan& p : plans) {
      const auto it = done_.find(p.id);
      out.push_back(it == done_.end() ? TrialRow{p, TrialState::kPending, 0, "", {}} : it->second);
    }
    return out;
  }

  int64_t left = 1'000'000;  // trials that it runs before a stop is asked for
  int64_t ran = 0, rounds = 0;
  double refused_above = 1e300;

 private:
  struct Asked {
    size_t arm;
    double value;
    int64_t seed;
  };
  End end_;
  std::map<std::string, Asked> asked_;
  std::map<std::string, TrialRow> done_;
};

// Loss 2 at `best`, rising by 0.3 a unit of log below it, and above it so that the bound (2.2 where
// L* is 2) is crossed at `frontier` exactly; lost from twice the frontier on.
inline SimulatedEnd known_frontier(double value, double best, double frontier) {
  const double x = std::log(value / best), f = std::log(frontier / best);
  if (x < 0) return {2 - 0.3 * x, false, false};
  return {2 + 0.2 * x / f, value > 2 * frontier, false};
}

}  // namespace keel::test
