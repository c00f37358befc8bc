#include "cli/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "lab/text.h"

namespace keel {
namespace {

constexpr double kRedrawSeconds = 0.1;

bool env_is_set(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0';
}

// std::printf writes a NaN's sign; a person does not want to know it.
std::string fixed(double value, int digits) {
  if (std::isnan(value)) return "nan";
  return fmt::format("{:.{}f}", value, digits);
}

std::string position(const StepReport& report) {
  const int64_t total = std::max(report.total_steps, report.step);
  const int64_t percent = total > 0 ? report.step * 100 / total : 0;
  const std::string end = std::to_string(total);
  return fmt::format("step {:>{}}/{} {}%", report.step, end.size() + 1, end, percent);
}

struct LineField {
  std::string text;
  std::string coloured;
};

LineField loss_field(const StepReport& report, const ProgressMeans& means) {
  const std::string number = fixed(report.loss, 3);
  const std::string mean =
      std::isfinite(means.loss) ? fmt::format(" (mean {})", fixed(means.loss, 3)) : "";
  const char* code = std::isfinite(report.loss) ? "\x1b[1m" : "\x1b[1;31m";
  return {"loss " + number + mean, fmt::format("loss {}{}\x1b[0m{}", code, number, mean)};
}

}  // namespace

std::string progress_line(const StepReport& report, const ProgressMeans& means, int columns,
                          bool colour) {
  std::vector<LineField> fields;
  const auto add = [&](const std::string& text) { fields.push_back({text, text}); };
  add(position(report));
  fields.push_back(loss_field(report, means));
  add("gnorm " + fixed(report.grad_norm, 2));
  add(fmt::format("lr {:.1e}", report.rate));
  add(short_count(means.tokens_per_second) + " tok/s");
  if (report.memory_bytes > 0) add("mem " + short_bytes(report.memory_bytes));
  add("left " + short_duration(means.seconds_left));
  std::string line;
  size_t width = 0;
  for (const LineField& field : fields) {
    const size_t needed = width + (width > 0 ? 3 : 0) + field.text.size();
    if (columns > 0 && needed > static_cast<size_t>(columns) && width > 0) break;
    if (width > 0) line += " | ";
    line += colour ? field.coloured : field.text;
    width = needed;
  }
  return line;
}

ProgressOptions progress_options(std::FILE* out, bool quiet, int64_t every) {
  ProgressOptions options;
  const char* term = std::getenv("TERM");
  options.live = isatty(fileno(out)) && term != nullptr && std::string_view(term) != "dumb";
  options.colour = options.live && !env_is_set("NO_COLOR");
  options.quiet = quiet;
  options.every = std::max<int64_t>(1, every);
  winsize size{};
  if (options.live && ioctl(fileno(out), TIOCGWINSZ, &size) == 0) options.columns = size.ws_col;
  return options;
}

void Progress::step(const StepReport& report, double now_seconds) {
  loss_.add(report.loss);
  step_seconds_.add(report.step_seconds);
  step_tokens_.add(static_cast<double>(report.tokens));
  const bool last = report.step >= report.total_steps;
  const bool first = !started_;
  started_ = true;
  if (options_.quiet) return;
  const double per_step = step_seconds_.value();
  ProgressMeans means;
  means.loss = loss_.value();
  means.tokens_per_second = step_tokens_.value() / per_step;
  means.seconds_left = static_cast<double>(report.total_steps - report.step) * per_step;
  if (!options_.live) {
    if (first || last || report.step % options_.every == 0) {
      write_plain(progress_line(report, means, 0, options_.colour));
    }
    return;
  }
  if (!last && now_seconds - drawn_at_ < kRedrawSeconds) return;
  drawn_at_ = now_seconds;
  // The last column stays free: some terminals wrap as soon as it is filled.
  const int columns = options_.columns > 1 ? options_.columns - 1 : 0;
  live_ = progress_line(report, means, columns, options_.colour);
  put(fmt::format("\r{}\x1b[K", live_));
}

void Progress::note(std::string_view text, bool important) {
  if (options_.quiet && !important) return;
  if (live_.empty()) {
    write_plain(std::string(text));
    return;
  }
  put(fmt::format("\r{}\x1b[K\n{}", text, live_));
}

void Progress::finish() {
  if (live_.empty()) return;
  live_.clear();
  write_plain("");
}

void Progress::write_plain(const std::string& line) { put(line + "\n"); }

// A log that cannot be written (a full disk, a terminal that is gone) is no reason to stop.
void Progress::put(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), out_);
  std::fflush(out_);
}

}  // namespace keel
