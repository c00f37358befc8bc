// What "diverged" and "does not train" mean: one rule, used by the sweep, the frontier and every
// report, and the rule by which lost runs are stopped early. It looks at losses alone, so that it
// is the same for all arms and for any trainer. docs/statistics.md gives the reasons.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "config/fields.h"

namespace keel {

// The margin that labels are computed with: the stated one, or the ones in its place under which an
// order must hold as well.
enum class Labelling { kStated, kNarrow, kWide };
constexpr size_t kLabellings = 3;

struct VerdictConfig final : Config {
  double margin = 0.2, narrow_margin = 0.1, wide_margin = 0.35;
  double share_above = 0.1;
  double rise_above = 0.05;
  double recovery_share = 0.1;
  double window_share = 0.02;
  int64_t window_min = 20;
  double stop_factor = 1.5;
  void fields(Fields& f) override;
  void validate(Errors& errors) const override;
  // The same rule with `margin` of that labelling.
  VerdictConfig labelled(Labelling labelling) const;
};

// Entropy in nats of the distribution that `counts` (occurrences of each token) are in proportion
// to: the loss of the best model that ignores the context, H1 below. DataError when a count is
// negative or all are 0.
double unigram_entropy(std::span<const int64_t> counts);

enum class RunVerdict { kTrains, kDiverged, kDoesNotTrain };
// "trains", "diverged", "does not train".
const char* name_of(RunVerdict verdict);

// What a run is judged by. Steps are counted from 0; steps and losses in nats a token.
struct RunShape {
  int64_t warmup_steps = 0, total_steps = 0;
  double unigram_entropy = 0;  // H1
};

// A point from which no later loss changes the verdict.
struct Irrevocable {
  int64_t step = 0;
  std::string reason;
};

// The window of the mean: max(window_min, window_share of the steps).
int64_t verdict_window(int64_t total_steps, const VerdictConfig& config);

// The diverged rule, fed one training loss a step. Diverged is: a loss that is not finite; or,
// after warm-up and one window, the mean of the last window above H1, and more than rise_above of
// it above the lowest such mean of the run so far, in at least share_above of the remaining steps
// (a run that is still falling is slow, not lost); or that mean more than margin * (H1 - m) above
// its own earlier minimum m (taken over the same steps, m below H1) for recovery_share of the steps
// on end.
class DivergenceRule {
 public:
  // DataError for a shape that no run has: steps < 1, warm-up < 0, an entropy that is not positive.
  DivergenceRule(const RunShape& shape, const VerdictConfig& config);
  // The verdict once it is irrevocable; the first one stays.
  const std::optional<Irrevocable>& add(double loss);
  const std::optional<Irrevocable>& diverged() const { return diverged_; }
  // The mean of the last window where the rule looks at it (after warm-up and one window).
  std::optional<double> mean() const { return mean_; }
  int64_t steps() const { return step_; }

 private:
  void look_at_mean();
  bool lost_all(double mean) const;
  double sum_of_window(double loss);

  RunShape shape_;
  VerdictConfig config_;
  int64_t window_, step_ = 0, above_ = 0;
  int64_t most_above_, most_risen_;
  std::vector<double> block_, older_;  // losses; sums from each of the block before to its end
  double block_sum_ = 0;
  std::optional<double> mean_, minimum_;
  std::optional<double> lowest_;  // of all windows, those of the warm-up too
  std::optional<int64_t> risen_since_;
  std::optional<Irrevocable> diverged_;
};

// Stops a run that is lost: the diverged rule, or the mean of the last window above stop_factor
// times the first loss (again after warm-up and one window). The same for all arms.
class EarlyStop {
 public:
  EarlyStop(const RunShape& shape, const VerdictConfig& config);
  // Why the run is to stop after this loss, once there is a reason; the first one stays.
  const std::optional<Irrevocable>& add(double loss);
  const std::optional<Irrevocable>& stopped() const { return stopped_; }

 private:
  DivergenceRule rule_;
  double factor_;
  double initial_loss_ = 0;
  std::optional<Irrevocable> stopped_;
};

struct JudgedRun {
  RunVerdict verdict = RunVerdict::kTrains;
  std::optional<int64_t> step;  // where it became irrevocable; none for kTrains
  std::string reason;           // a sentence with the numbers that decided
};

// The one function. `losses` has one training loss for each step; fewer than all of them when the
// run was stopped by EarlyStop, which is repeated here. `final_loss` is the validation loss of the
// last step, `best_loss` is L*, the lowest mean over seeds of the arm on the common grid: the run
// does not train when final_loss > L* + margin * (H1 - L*). DataError when losses end early and
// neither rule says so, when there are more of them than steps, or when L* is not finite.
JudgedRun judge_run(const RunShape& shape, std::span<const double> losses, double final_loss,
                    double best_loss, const VerdictConfig& config);

// L* + margin * (H1 - L*): above it a run does not train. L* itself where L* >= H1, as nothing
// was learnt there.
double training_bound(double best_loss, double unigram_entropy, double margin);

}  // namespace keel
