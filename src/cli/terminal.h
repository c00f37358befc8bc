// Tells a person what a run does: on standard error, and the same lines in RUN/log.txt.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "cli/progress.h"
#include "train/observer.h"
#include "train/run_dir.h"

namespace keel {

class Terminal final : public Observer {
 public:
  // `every`: steps between plain lines. A log that cannot be written is left out, with a warning.
  Terminal(const RunDir& dir, bool quiet, int64_t every);
  ~Terminal() override;
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  void say(std::string_view text);
  void warn(std::string_view text);
  // From here on each number that is added to `requests` changes between a line for every step and
  // one every so many.
  void switch_lines_on(const std::atomic<int>& requests) { requests_ = &requests; }
  // Ends the live line.
  void finish();

  void on_step(const Trainer& trainer, const StepResult& result, double seconds) override;
  void on_eval(const Trainer& trainer, const Evaluation& evaluation) override;
  void on_sample(int64_t step, std::string_view text) override;
  void on_checkpoint(int64_t step, const std::string& path) override;
  void on_event(int64_t step, std::string_view kind, std::string_view text) override;

 private:
  void note(const std::string& text, bool important = false);
  void heed_requests();

  int64_t every_;
  const std::atomic<int>* requests_ = nullptr;
  int requests_seen_ = 0;
  std::FILE* log_file_;
  Progress screen_;
  std::optional<Progress> log_;
  double memory_read_at_ = -1e300;
  int64_t memory_bytes_ = 0;
};

}  // namespace keel
