#include "cli/terminal.h"

#include <fmt/format.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <utility>

#include "cli/output.h"
#include "core/clock.h"
#include "lab/text.h"
#include "train/environment.h"

namespace keel {
namespace {

constexpr double kMemorySeconds = 0.5;

std::string indented(std::string_view text) {
  std::string out = "  | ";
  for (const char c : text) out += c == '\n' ? "\n  | " : std::string(1, c);
  return out;
}

}  // namespace

Terminal::Terminal(const RunDir& dir, bool quiet, int64_t every)
    : every_(every),
      log_file_(std::fopen(dir.log().c_str(), "ae")),
      screen_(stderr, progress_options(stderr, quiet, every)) {
  if (log_file_ == nullptr) {
    warn(fmt::format("{}: cannot write: {}", dir.log(), std::strerror(errno)));
    return;
  }
  ProgressOptions plain;
  plain.every = every;
  log_.emplace(log_file_, plain);
}

Terminal::~Terminal() {
  log_.reset();
  if (log_file_ != nullptr) std::fclose(log_file_);
}

void Terminal::note(const std::string& text, bool important) {
  screen_.note(text, important);
  if (log_) log_->note(text);
}

void Terminal::say(std::string_view text) { note(std::string(text)); }

void Terminal::warn(std::string_view text) { note(fmt::format("warning: {}", text), true); }

void Terminal::finish() { screen_.finish(); }

void Terminal::heed_requests() {
  if (requests_ == nullptr || requests_->load() == requests_seen_) return;
  const int before = std::exchange(requests_seen_, requests_->load());
  if ((requests_seen_ - before) % 2 == 0) return;
  const bool each = requests_seen_ % 2 == 1;
  for (Progress* p : {&screen_, log_ ? &*log_ : nullptr}) {
    if (p != nullptr) p->set_every(each ? 1 : every_);
  }
  say(each ? "SIGHUP: a line for every step, until the next one"
           : fmt::format("SIGHUP: a line every {} steps again", every_));
}

void Terminal::on_step(const Trainer& trainer, const StepResult& r, double seconds) {
  heed_requests();
  const double now = seconds_now();
  if (now - memory_read_at_ > kMemorySeconds) {
    memory_read_at_ = now;
    memory_bytes_ = process_bytes("VmRSS");
  }
  StepReport report;
  report.step = r.step;
  report.total_steps = trainer.config().train.steps;
  report.loss = r.loss;
  report.grad_norm = r.grad_norm;
  report.rate = r.rate;
  report.tokens = r.tokens;
  report.step_seconds = seconds;
  report.memory_bytes = memory_bytes_;
  screen_.step(report, now);
  if (log_) log_->step(report, now);
}

void Terminal::on_eval(const Trainer& trainer, const Evaluation& e) {
  std::string text = fmt::format("step {}: validation loss {:.4f} over {} tokens", e.step,
                                 e.result.loss, short_count(static_cast<double>(e.result.tokens)));
  if (e.averaged) text += fmt::format(", of the averaged weights {:.4f}", e.averaged->loss);
  const auto& names = trainer.data().source_names();
  for (size_t i = 0; i < e.result.source_loss.size(); ++i) {
    if (std::isnan(e.result.source_loss[i])) continue;
    text += fmt::format(", {} {:.4f}", names[i], e.result.source_loss[i]);
  }
  note(text);
}

void Terminal::on_sample(int64_t step, std::string_view text) {
  note(fmt::format("step {}: a sample\n{}", step, indented(shown_text(text))));
}

void Terminal::on_checkpoint(int64_t step, const std::string& path) {
  note(fmt::format("step {}: saved {}", step, path));
}

void Terminal::on_event(int64_t, std::string_view kind, std::string_view text) {
  if (kind == "warning") warn(text);
}

}  // namespace keel
