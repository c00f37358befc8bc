#include "lab/verdict.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace keel {
namespace {

// The smallest whole number of steps that is at least this share of them, and at least 1.
int64_t steps_of_share(double share, int64_t steps) {
  // A share such as 0.1 is not exact: 0.1 * 30 must give 3, not 4.
  const double exact = share * static_cast<double>(steps);
  return std::max<int64_t>(1, static_cast<int64_t>(std::ceil(exact * (1 - 1e-12))));
}

}  // namespace

void VerdictConfig::fields(Fields& f) {
  f("margin", margin, "share of H1 - m or H1 - L* that a run may lose", between(0, 1));
  f("narrow_margin", narrow_margin, "in place of margin where an order is checked", between(0, 1));
  f("wide_margin", wide_margin, "in place of margin where an order is checked", between(0, 1));
  f("share_above", share_above, "share of the steps above H1 that is diverged", between(0, 1));
  f("rise_above", rise_above, "how far above the run's lowest mean, as a share of it, these lie",
    at_least(0));
  f("recovery_share", recovery_share, "share of the run in which a rise must be made good",
    between(0, 1));
  f("window_share", window_share, "window of the mean loss as a share of the steps", between(0, 1));
  f("window_min", window_min, "least window of the mean loss, in steps", at_least(1));
  f("stop_factor", stop_factor, "mean loss over first loss above which a run is stopped",
    at_least(1));
}

void VerdictConfig::validate(Errors& errors) const {
  if (narrow_margin > margin) errors.add("narrow_margin", "must not be above margin", {"margin"});
  if (wide_margin < margin) errors.add("wide_margin", "must not be below margin", {"margin"});
}

VerdictConfig VerdictConfig::labelled(Labelling labelling) const {
  VerdictConfig config = *this;
  if (labelling == Labelling::kNarrow) config.margin = narrow_margin;
  if (labelling == Labelling::kWide) config.margin = wide_margin;
  return config;
}

double unigram_entropy(std::span<const int64_t> counts) {
  double total = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] < 0) {
      throw DataError(fmt::format("unigram entropy: token {} was counted {} times", i, counts[i]));
    }
    total += static_cast<double>(counts[i]);
  }
  if (total == 0) throw DataError("unigram entropy: no token was counted");
  double entropy = 0;
  for (const int64_t count : counts) {
    if (count == 0) continue;
    const double p = static_cast<double>(count) / total;
    entropy -= p * std::log(p);
  }
  return entropy;
}

const char* name_of(RunVerdict verdict) {
  switch (verdict) {
    case RunVerdict::kTrains:
      return "trains";
    case RunVerdict::kDiverged:
      return "diverged";
    case RunVerdict::kDoesNotTrain:
      return "does not train";
  }
  return "";
}

int64_t verdict_window(int64_t total_steps, const VerdictConfig& config) {
  return std::max(config.window_min, steps_of_share(config.window_share, total_steps));
}

DivergenceRule::DivergenceRule(const RunShape& shape, const VerdictConfig& config)
    : shape_(shape), config_(config) {
  if (shape.total_steps < 1 || shape.warmup_steps < 0) {
    throw DataError(fmt::format("verdict: {} steps with {} of warm-up is not a run",
                                shape.total_steps, shape.warmup_steps));
  }
  if (!(shape.unigram_entropy > 0) || !std::isfinite(shape.unigram_entropy)) {
    throw DataError(fmt::format("verdict: the unigram entropy is {}, it must be above 0",
                                shape.unigram_entropy));
  }
  window_ = verdict_window(shape.total_steps, config);
  block_.reserve(static_cast<size_t>(window_));
  older_.assign(static_cast<size_t>(window_) + 1, 0.0);
  const int64_t remaining = shape.total_steps - shape.warmup_steps - window_;
  most_above_ = steps_of_share(config.share_above, std::max<int64_t>(remaining, 0));
  most_risen_ = steps_of_share(config.recovery_share, shape.total_steps);
}

const std::optional<Irrevocable>& DivergenceRule::add(double loss) {
  const int64_t step = step_++;
  if (diverged_) return diverged_;
  if (!std::isfinite(loss)) {
    diverged_ = {step, fmt::format("the loss of step {} is not finite", step)};
    return diverged_;
  }
  const double sum = sum_of_window(loss);
  if (step + 1 < window_) return diverged_;
  const double mean = sum / static_cast<double>(window_);
  if (step >= shape_.warmup_steps + window_) {
    mean_ = mean;
    look_at_mean();
  }
  lowest_ = std::min(mean, lowest_.value_or(mean));
  return diverged_;
}

// Of the losses of the block that is being filled and of those of the block before it that are
// still in the window. Nothing is ever subtracted: a running sum would not forget the rounding of
// one enormous loss.
double DivergenceRule::sum_of_window(double loss) {
  block_.push_back(loss);
  block_sum_ += loss;
  const double sum = older_[block_.size()] + block_sum_;
  if (std::ssize(block_) < window_) return sum;
  for (size_t i = block_.size(); i-- > 0;) older_[i] = older_[i + 1] + block_[i];
  block_.clear();
  block_sum_ = 0;
  return sum;
}

// Worse than a model that ignores its context, and once better than now.
bool DivergenceRule::lost_all(double mean) const {
  return mean > shape_.unigram_entropy && mean > (1 + config_.rise_above) * *lowest_;
}

void DivergenceRule::look_at_mean() {
  const int64_t step = step_ - 1;
  const double h1 = shape_.unigram_entropy, mean = *mean_;
  if (lost_all(mean) && ++above_ >= most_above_) {
    diverged_ = {step,
                 fmt::format("the mean of {} losses was above the unigram entropy {:.4g}, and "
                             "above what it had been, in {} steps by step {}",
                             window_, h1, above_, step)};
    return;
  }
  const bool risen =
      minimum_ && *minimum_ < h1 && mean > *minimum_ + config_.margin * (h1 - *minimum_);
  if (!risen) {
    risen_since_.reset();
    minimum_ = std::min(mean, minimum_.value_or(mean));
    return;
  }
  if (!risen_since_) risen_since_ = step;
  if (step - *risen_since_ < most_risen_) return;
  diverged_ = {step,
               fmt::format("the mean of {} losses rose from {:.4g} to {:.4g} and had not come "
                           "back {} steps later, at step {}",
                           window_, *minimum_, mean, step - *risen_since_, step)};
}

EarlyStop::EarlyStop(const RunShape& shape, const VerdictConfig& config)
    : rule_(shape, config), factor_(config.stop_factor) {}

const std::optional<Irrevocable>& EarlyStop::add(double loss) {
  if (stopped_) return stopped_;
  if (rule_.steps() == 0) initial_loss_ = loss;
  stopped_ = rule_.add(loss);
  if (!stopped_ && rule_.mean() > factor_ * initial_loss_) {
    stopped_ = {rule_.steps() - 1,
                fmt::format("the mean loss {:.4g} is above {:.4g} times the first loss {:.4g} at "
                            "step {}",
                            *rule_.mean(), factor_, initial_loss_, rule_.steps() - 1)};
  }
  return stopped_;
}

double training_bound(double best_loss, double unigram_entropy, double margin) {
  return best_loss + margin * std::max(unigram_entropy - best_loss, 0.0);
}

namespace {

// The run's end is not in `losses`: the only verdict that can be known is that it was lost.
JudgedRun judge_stopped(const RunShape& shape, std::span<const double> losses,
                        const VerdictConfig& config) {
  EarlyStop stop(shape, config);
  for (const double loss : losses) stop.add(loss);
  if (!stop.stopped()) {
    throw DataError(
        fmt::format("verdict: the run has {} of {} losses and nothing in them says "
                    "that it was lost",
                    losses.size(), shape.total_steps));
  }
  return {RunVerdict::kDiverged, stop.stopped()->step, "stopped early: " + stop.stopped()->reason};
}

}  // namespace

JudgedRun judge_run(const RunShape& shape, std::span<const double> losses, double final_loss,
                    double best_loss, const VerdictConfig& config) {
  DivergenceRule rule(shape, config);
  const auto total = static_cast<size_t>(shape.total_steps);
  if (losses.size() > total) {
    throw DataError(fmt::format("verdict: {} losses in a run of {} steps", losses.size(), total));
  }
  for (const double loss : losses) {
    if (rule.add(loss)) {
      return {RunVerdict::kDiverged, rule.diverged()->step, rule.diverged()->reason};
    }
  }
  if (losses.size() < total) return judge_stopped(shape, losses, config);
  if (!std::isfinite(final_loss)) {
    return {RunVerdict::kDiverged, shape.total_steps - 1,
            "the final validation loss is not finite"};
  }
  if (!std::isfinite(best_loss)) {
    throw DataError("verdict: the best loss L* is not finite, so nothing can be compared with it");
  }
  const double bound = training_bound(best_loss, shape.unigram_entropy, config.margin);
  if (final_loss > bound) {
    return {RunVerdict::kDoesNotTrain, shape.total_steps - 1,
            fmt::format("the final validation loss {:.4g} is above {:.4g} (L* = {:.4g})",
                        final_loss, bound, best_loss)};
  }
  return {RunVerdict::kTrains, std::nullopt,
          fmt::format("the final validation loss {:.4g} is at most {:.4g} (L* = {:.4g})",
                      final_loss, bound, best_loss)};
}

}  // namespace keel
