// What a training run says while it runs: one line redrawn in place on a terminal, plain lines
// every few steps in a log. Formatting is pure; only class Progress writes, to the FILE* it is
// given.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "lab/running_mean.h"

namespace keel {

// One finished optimizer step.
struct StepReport {
  int64_t step = 0;          // steps done, this one included
  int64_t total_steps = 0;   // train.steps
  double loss = 0;           // nats per token
  double grad_norm = 0;      // before the clip
  double rate = 0;           // learning rate of this step
  int64_t tokens = 0;        // tokens read in this step
  double step_seconds = 0;   // this step alone, without evaluation and saving
  int64_t memory_bytes = 0;  // resident memory of the process
};

// The running figures of the line beside the step itself.
struct ProgressMeans {
  double loss = 0;               // running mean, nats per token
  double tokens_per_second = 0;  // running mean
  double seconds_left = -1;      // negative: not known yet
};

// `step  1200/5000 24% | loss 3.412 (mean 3.440) | gnorm 0.81 | lr 5.9e-04 | 41.2k tok/s | mem
// 2.1 GiB | left 00:41:10`. Fields from the right are left out until it fits `columns`
// (0: no limit); `colour` makes the loss bold and a non-finite one red, by escape codes that take
// no column.
std::string progress_line(const StepReport& report, const ProgressMeans& means, int columns,
                          bool colour);

struct ProgressOptions {
  bool live = false;  // redraw one line; otherwise plain lines
  bool colour = false;
  bool quiet = false;  // write nothing but notes
  int64_t every = 10;  // steps between plain lines; the first and the last step always show
  int columns = 0;     // width of the terminal; 0: not known
};

// Live on a terminal that is not TERM=dumb; colour there unless NO_COLOR is set and not empty.
ProgressOptions progress_options(std::FILE* out, bool quiet, int64_t every);

// Not thread-safe: used by the thread that runs the loop.
class Progress {
 public:
  Progress(std::FILE* out, const ProgressOptions& options) : out_(out), options_(options) {}
  ~Progress() { finish(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `now_seconds` is any monotonic clock; a live line is redrawn at most 10 times a second, and
  // always at the last step.
  void step(const StepReport& report, double now_seconds);
  // One line of its own (evaluation, checkpoint, warning) above the live line; shown when quiet
  // only where `important`.
  void note(std::string_view text, bool important = false);
  // Steps between plain lines from here on.
  void set_every(int64_t every) { options_.every = every; }
  // Ends the live line, so that what is written next starts on a fresh one.
  void finish();

 private:
  void write_plain(const std::string& line);
  void put(const std::string& text);

  std::FILE* out_;
  ProgressOptions options_;
  RunningMean loss_;
  RunningMean step_seconds_{0.95};
  RunningMean step_tokens_{0.95};
  std::string live_;  // the line on the screen, empty when there is none
  double drawn_at_ = -1e300;
  bool started_ = false;
};

}  // namespace keel
