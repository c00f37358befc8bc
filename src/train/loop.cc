#include "train/loop.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <thread>

#include "core/clock.h"
#include "core/error.h"
#include "train/generate.h"
#include "train/metric_names.h"
#include "train/metrics_log.h"

namespace keel {
namespace {

constexpr size_t kRecent = 20;
constexpr std::chrono::milliseconds kNap{50};
constexpr int kNapsBetweenTries = 20;

// Before one was measured: at the pace of a slow disk.
double seconds_to_save(const MemoryUse& m) {
  constexpr double kBytesPerSecond = 100e6;
  return static_cast<double>(m.weights + m.optimizer) / kBytesPerSecond;
}

// fmt would write the sign of a NaN.
std::string nonfinite(double value) { return std::isnan(value) ? "nan" : fmt::format("{}", value); }

std::string nonfinite_reason(const StepResult& r) {
  const bool loss = !std::isfinite(r.loss);
  const double value = loss ? r.loss : r.grad_norm;
  return fmt::format("the {} is {} in step {}", loss ? "loss" : "gradient norm", nonfinite(value),
                     r.step);
}

}  // namespace

RunLoop::RunLoop(Session& session, Fs& fs, std::vector<Observer*> observers, StopRequests& requests)
    : trainer_(*session.trainer),
      dir_(*session.dir),
      observers_(std::move(observers)),
      requests_(requests),
      saver_(fs, dir_.path(), *session.checkpoint,
             {session.config.checkpoint.keep, session.config.checkpoint.keep_every},
             session.config_text),
      longest_save_(seconds_to_save(trainer_.memory())),
      saved_at_(trainer_.steps_done()) {
  if (trainer_.steps_done() > 0) read_past();
  if (session.progress) progress_ = *session.progress;
  keep_time_back();
}

// Of a time that is limited, half as much again as a step and a save (and one under way before it)
// have taken so far, and a second for the end of the process.
void RunLoop::keep_time_back() {
  const int saves = saver_.pending() ? 2 : 1;
  requests_.keep_back(1.5 * (longest_step_ + saves * longest_save_) + 1);
}

// What takes long and is no step. Cut off by a stop, it counts as not begun.
template <class F>
void RunLoop::until_stopped(F&& f) {
  const StopScope scope(requests_);
  try {
    f();
  } catch (const Stopped&) {
  }
}

// So that the mean of the last losses and the last evaluation are those of an unbroken run. Metrics
// that cannot be read are no reason to refuse to train; what changes training is in the checkpoint.
void RunLoop::read_past() {
  const int64_t done = trainer_.steps_done();
  try {
    const RunMetrics past(dir_.path());
    const std::vector<MetricPoint> losses = past.metric(metric_name::kLoss);
    for (size_t i = losses.size() - std::min(losses.size(), kRecent); i < losses.size(); ++i) {
      if (losses[i].step <= done) note_loss(losses[i].value);
    }
    for (const MetricPoint& e : past.eval(metric_name::kValLoss)) {
      if (e.step > done) continue;
      note_evaluation(e.value);
      evaluated_at_ = e.step;
    }
    for (const SampleRow& s : past.samples()) sampled_at_ = std::min(s.step, done);
  } catch (const DataError&) {
  }
}

bool RunLoop::due(int64_t every) const { return every > 0 && trainer_.steps_done() % every == 0; }

// False when a value was not finite; the weights are then those of the step before.
bool RunLoop::one_step() {
  const double begin = seconds_now();
  last_ = trainer_.step();
  const double took = seconds_now() - begin;
  seconds_ += took;
  if (took > longest_step_) {
    longest_step_ = took;
    keep_time_back();
  }
  tokens_here_ += last_.tokens;
  note_loss(last_.loss);
  tell([&](Observer& o) { o.on_step(trainer_, last_, took); });
  return last_.finite;
}

void RunLoop::note_loss(double loss) {
  if (recent_.size() < kRecent) {
    recent_.push_back(loss);
  } else {
    recent_[recent_at_++ % kRecent] = loss;
  }
}

void RunLoop::note_evaluation(double loss) {
  val_loss_ = loss;
  auto& [best, since] = progress_;
  since = best && !(loss < *best) ? since + 1 : 0;
  if (!best || loss < *best) best = loss;
}

bool RunLoop::evaluated() const {
  return evaluated_at_ == trainer_.steps_done() || trainer_.data().eval_tokens() == 0;
}

void RunLoop::evaluate() {
  if (evaluated()) return;
  until_stopped([&] {
    const int64_t most = trainer_.config().eval.tokens;
    Evaluation e{trainer_.steps_done(), trainer_.evaluate(most), {}};
    if (trainer_.averages()) e.averaged = trainer_.evaluate(most, true);
    evaluated_at_ = e.step;
    if (!std::isfinite(e.result.loss)) {
      lost_ =
          fmt::format("the validation loss is {} after step {}", nonfinite(e.result.loss), e.step);
      return;
    }
    note_evaluation(e.result.loss);
    tell([&](Observer& o) { o.on_eval(trainer_, e); });
  });
}

void RunLoop::sample() {
  const SampleConfig& c = trainer_.config().sample;
  if (c.tokens == 0 || !trainer_.data().tokenizer().end()) return;
  if (sampled_at_ == trainer_.steps_done()) return;
  GenerateOptions options;
  options.tokens = c.tokens;
  options.temperature = c.temperature;
  options.seed = trainer_.steps_done();
  options.documents_apart = trainer_.config().data.masks_documents();
  until_stopped([&] {
    try {
      const std::string text =
          c.prompt +
          generate_text(trainer_.model(), trainer_.data().tokenizer(), c.prompt, options);
      sampled_at_ = trainer_.steps_done();
      tell([&](Observer& o) { o.on_sample(sampled_at_, text); });
    } catch (const MemoryError& e) {
      warn(fmt::format("no sample: {}", e.what()));
    } catch (const DataError& e) {  // no score is finite
      warn(fmt::format("no sample: {}", e.what()));
    }
  });
}

// A last update can overflow though its loss and gradient were finite.
void RunLoop::begin_save() {
  if (saved_at_ == trainer_.steps_done()) return;
  end_save(true);
  const int64_t step = trainer_.steps_done();
  tell([&](Observer& o) { o.before_checkpoint(step); });
  if (const auto bad = saver_.begin(trainer_, {last_.loss, last_.grad_norm, progress_});
      !bad.empty()) {
    lost_ = fmt::format("{} after step {}", bad, step);
    return;
  }
  saved_at_ = step;
  keep_time_back();
  end_save(false);
}

void RunLoop::note_saved(const SavedCheckpoint& saved) {
  longest_save_ = std::max(longest_save_, saved.seconds);
  keep_time_back();
  tell([&](Observer& o) { o.on_checkpoint(saved.step, saved.path); });
}

// Hears what became of the save under way, if it has ended or shall be waited for.
void RunLoop::end_save(bool wait) {
  try {
    if (const auto saved = saver_.collect(wait)) note_saved(*saved);
  } catch (const IoError& e) {
    if (!e.no_room()) throw;
    no_room(e);
  }
}

void RunLoop::warn(const std::string& text) {
  tell([&](Observer& o) { o.on_event(trainer_.steps_done(), "warning", text); });
}

void RunLoop::no_room(const IoError& error) {
  const RunConfig& c = trainer_.config();
  if (c.checkpoint.on_disk_full == "pause") return wait_for_room(error);
  const bool last = ending_ || saved_at_ >= c.train.steps;
  if (last || c.checkpoint.on_disk_full == "stop") throw error;
  warn(
      fmt::format("step {} is not saved: {}; the checkpoint before it stands, the next save is "
                  "tried when it is due",
                  saved_at_, error.what()));
  saved_at_ = -1;
}

// The same save again and again; a stop ends the waiting, and with it the run.
void RunLoop::wait_for_room(const IoError& error) {
  warn(fmt::format("{}; paused after step {} until there is room", error.what(),
                   trainer_.steps_done()));
  while (!requests_.stop_wanted()) {
    for (int i = 0; i < kNapsBetweenTries && !requests_.stop_wanted(); ++i) {
      std::this_thread::sleep_for(kNap);
    }
    saver_.begin_again();
    try {
      return note_saved(*saver_.collect(true));
    } catch (const IoError& e) {
      if (!e.no_room()) throw;
    }
  }
  throw error;
}

// The state as it is now, after which no step follows.
void RunLoop::last_save() {
  end_save(true);
  ending_ = true;
  begin_save();
  end_save(true);
}

RunOutcome RunLoop::outcome(RunEnd end, std::string reason) const {
  RunOutcome o;
  o.end = end;
  o.steps = trainer_.steps_done();
  o.tokens = trainer_.sequences_in(o.steps) * trainer_.config().model.context;
  if (end != RunEnd::kDiverged && evaluated_at_ == o.steps) o.val_loss = val_loss_;
  if (!recent_.empty()) {
    double sum = 0;
    for (double v : recent_) sum += v;
    o.train_loss = sum / static_cast<double>(recent_.size());
  }
  if (seconds_ > 0) o.tokens_per_second = static_cast<double>(tokens_here_) / seconds_;
  o.reason = std::move(reason);
  return o;
}

RunOutcome RunLoop::diverged() {
  try {
    end_save(true);
  } catch (const IoError& e) {
    warn(e.what());  // that the run has diverged is worse
  }
  tell([&](Observer& o) { o.on_event(trainer_.steps_done(), metric_name::kDivergedEvent, lost_); });
  return outcome(RunEnd::kDiverged, lost_);
}

RunOutcome RunLoop::ended_by_observer() {
  end_save(true);
  tell(
      [&](Observer& o) { o.on_event(trainer_.steps_done(), metric_name::kEarlyEvent, given_up_); });
  return outcome(RunEnd::kEarly, given_up_);
}

// What is due after a step, or was asked for; a stop ends it.
void RunLoop::between_steps() {
  const RunConfig& c = trainer_.config();
  end_save(false);
  if (!requests_.stop_wanted() && due(c.eval.every)) evaluate();
  if (!lost_.empty()) return;
  if (!requests_.stop_wanted() && due(c.sample.every > 0 ? c.sample.every : c.eval.every)) sample();
  const bool asked = requests_.take_save();
  if (!requests_.stop_wanted() && (asked || due(c.checkpoint.every))) begin_save();
}

bool RunLoop::lost_progress() const {
  const int64_t patience = trainer_.config().stop.patience;
  return patience > 0 && progress_.evaluations_since >= patience;
}

void RunLoop::measure_start() {
  const RunConfig& c = trainer_.config();
  if (trainer_.steps_done() > 0 || c.log.probes == 0 || requests_.stop_wanted()) return;
  const StartMeasures start = trainer_.measure_start();
  tell([&](Observer& o) { o.on_start(trainer_, start); });
}

RunOutcome RunLoop::run() {
  const RunConfig& c = trainer_.config();
  RunEnd end = RunEnd::kFinished;
  std::string reason;
  // What a stop request cut off after the last step of a resumed run.
  if (trainer_.steps_done() > 0 && trainer_.steps_done() < c.train.steps) between_steps();
  if (!lost_.empty()) return diverged();
  if (lost_progress()) end = RunEnd::kEarly;
  measure_start();
  while (end == RunEnd::kFinished && trainer_.steps_done() < c.train.steps) {
    if (!requests_.stop_wanted()) {
      if (!one_step())
        lost_ = nonfinite_reason(last_);
      else if (given_up_.empty())
        between_steps();
      if (!lost_.empty()) return diverged();
      if (!given_up_.empty()) return ended_by_observer();
    }
    if (requests_.stop_wanted()) {
      end = RunEnd::kStopped;
    } else if (lost_progress()) {
      end = RunEnd::kEarly;
    }
  }
  if (end != RunEnd::kStopped) evaluate();
  if (!lost_.empty()) return diverged();
  if (!evaluated()) end = RunEnd::kStopped;
  if (end != RunEnd::kStopped && !requests_.stop_wanted() && last_.step > 0) sample();
  if (unsaved_ && end != RunEnd::kStopped) {
    end_save(true);
  } else {
    last_save();
  }
  if (!lost_.empty()) return diverged();
  if (end == RunEnd::kStopped) reason = requests_.reason();
  if (end == RunEnd::kEarly) {
    reason =
        fmt::format("no better validation loss in {} evaluations", progress_.evaluations_since);
  }
  if (!reason.empty()) {
    const auto kind = end == RunEnd::kEarly ? metric_name::kEarlyEvent : metric_name::kStopEvent;
    tell([&](Observer& o) { o.on_event(trainer_.steps_done(), kind, reason); });
  }
  return outcome(end, reason);
}

}  // namespace keel
