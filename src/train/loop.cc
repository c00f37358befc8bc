#include "train/loop.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>

#include "train/checkpoint.h"
#include "train/generate.h"

namespace keel {
namespace {

constexpr size_t kRecent = 20;

double seconds_now() {
  const auto t = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(t).count();
}

std::string nonfinite_reason(const StepResult& r) {
  if (!std::isfinite(r.loss)) return fmt::format("the loss is {} in step {}", r.loss, r.step);
  return fmt::format("the gradient norm is {} in step {}", r.grad_norm, r.step);
}

}  // namespace

RunLoop::RunLoop(Trainer& trainer, const RunDir& dir, Fs& fs, std::string config,
                 std::vector<Observer*> observers, const std::atomic<int>& stop)
    : trainer_(trainer), dir_(dir), fs_(fs), config_text_(std::move(config)),
      observers_(std::move(observers)), stop_(stop), saved_at_(trainer.steps_done()) {}

bool RunLoop::due(int64_t every) const {
  return every > 0 && trainer_.steps_done() % every == 0;
}

// False when a value was not finite; the weights are then those of the step before.
bool RunLoop::one_step() {
  const double begin = seconds_now();
  last_ = trainer_.step();
  const double took = seconds_now() - begin;
  seconds_ += took;
  tokens_here_ += last_.tokens;
  if (recent_.size() < kRecent) recent_.push_back(last_.loss);
  else recent_[recent_at_++ % kRecent] = last_.loss;
  tell([&](Observer& o) { o.on_step(trainer_, last_, took); });
  return last_.finite;
}

void RunLoop::evaluate() {
  if (evaluated_at_ == trainer_.steps_done() || trainer_.data().eval_tokens() == 0) return;
  evaluated_at_ = trainer_.steps_done();
  const int64_t most = trainer_.config().eval.tokens;
  Evaluation e{evaluated_at_, trainer_.evaluate(most), {}};
  if (trainer_.averages()) e.averaged = trainer_.evaluate(most, true);
  val_loss_ = e.result.loss;
  worse_ = best_ && !(*val_loss_ < *best_) ? worse_ + 1 : 0;
  if (!best_ || *val_loss_ < *best_) best_ = val_loss_;
  tell([&](Observer& o) { o.on_eval(trainer_, e); });
}

void RunLoop::sample() {
  const SampleConfig& c = trainer_.config().sample;
  if (c.tokens == 0 || !trainer_.data().tokenizer().end()) return;
  GenerateOptions options;
  options.tokens = c.tokens;
  options.temperature = c.temperature;
  options.seed = static_cast<uint64_t>(trainer_.steps_done());
  const std::string text =
      c.prompt + generate_text(trainer_.model(), trainer_.data().tokenizer(), c.prompt, options);
  tell([&](Observer& o) { o.on_sample(trainer_.steps_done(), text); });
}

void RunLoop::save() {
  if (saved_at_ == trainer_.steps_done()) return;
  saved_at_ = trainer_.steps_done();
  const std::string path = save_trainer(fs_, dir_.path(), trainer_,
                                        {last_.loss, last_.grad_norm}, config_text_);
  retain_checkpoints(fs_, dir_.path(), trainer_.config().checkpoint.keep);
  tell([&](Observer& o) { o.on_checkpoint(saved_at_, path); });
}

RunOutcome RunLoop::outcome(RunEnd end, std::string reason) const {
  RunOutcome o;
  o.end = end;
  o.steps = trainer_.steps_done();
  o.tokens = o.steps * trainer_.config().sequences() * trainer_.config().model.context;
  o.val_loss = end == RunEnd::kDiverged ? std::nullopt : val_loss_;
  if (!recent_.empty()) {
    double sum = 0;
    for (double v : recent_) sum += v;
    o.train_loss = sum / static_cast<double>(recent_.size());
  }
  if (seconds_ > 0) o.tokens_per_second = static_cast<double>(tokens_here_) / seconds_;
  o.reason = std::move(reason);
  return o;
}

RunOutcome RunLoop::run() {
  const RunConfig& c = trainer_.config();
  RunEnd end = RunEnd::kFinished;
  std::string reason;
  while (trainer_.steps_done() < c.train.steps) {
    if (!one_step()) {
      reason = nonfinite_reason(last_);
      tell([&](Observer& o) { o.on_event(last_.step, "diverged", reason); });
      return outcome(RunEnd::kDiverged, reason);
    }
    if (stop_.load()) {
      end = RunEnd::kStopped;
      reason = "asked to stop";
      break;
    }
    if (due(c.eval.every)) evaluate();
    if (due(c.sample.every > 0 ? c.sample.every : c.eval.every)) sample();
    if (due(c.checkpoint.every)) save();
    if (c.stop.patience > 0 && worse_ >= c.stop.patience) {
      end = RunEnd::kEarly;
      reason = fmt::format("no better validation loss in {} evaluations", worse_);
      break;
    }
  }
  if (end != RunEnd::kStopped) evaluate();
  if (end != RunEnd::kStopped && recent_.size() > 0) sample();
  save();
  if (!reason.empty()) {
    tell([&](Observer& o) { o.on_event(trainer_.steps_done(), "stop", reason); });
  }
  return outcome(end, reason);
}

}  // namespace keel
