// The wish that a run should save, or save and end, and how work that takes long hears of it.
// Signal handlers and other threads only leave a number here. The loop of a run looks after each
// step; what is no step (reading data, an evaluation, a sample) passes stop_point()s instead.
#pragma once

#include <atomic>
#include <string>

#include "core/error.h"

namespace keel {

// Thrown by stop_point(): the work under way was cut off because a stop is wanted. Not one of the
// six errors, since nothing is wrong; the program ends with 75, as after any other stop.
struct Stopped final : Error {
  Stopped() : Error("stopped before its end", 75) {}
};

class StopRequests {
 public:
  // Both may be called from a signal handler. ask_stop() returns how many stops came before.
  int ask_stop() { return stops_.fetch_add(1); }
  void ask_save() { saves_.fetch_add(1); }
  // From then on no stop is asked for (for a loop that is run twice).
  void clear() { stops_.store(0); }

  // The process is to be gone `seconds` from now; `what` sets that limit. Of several the earliest
  // counts.
  void limit(double seconds, const std::string& what);
  // What is kept of the time for the step under way and a save: a stop is wanted as soon as no more
  // than this is left.
  void keep_back(double seconds) { kept_ = seconds; }

  // True once a stop is asked for or the time is nearly up, and from then on.
  bool stop_wanted() const;
  // Whether a save was asked for since the last call.
  bool take_save() { return saves_.exchange(0) > 0; }
  // "asked to stop", or that the time is nearly up and by what.
  std::string reason() const;
  // Seconds that are left; infinity without a limit.
  double seconds_left() const;

 private:
  std::atomic<int> stops_{0}, saves_{0};
  static_assert(std::atomic<int>::is_always_lock_free);
  mutable std::atomic<bool> time_is_up_{false};
  double end_ = 0;  // seconds of the steady clock; 0: no limit
  double kept_ = 0;
  std::string what_;
};

// While one lives, stop_point() of this thread heeds the requests. The innermost counts.
class StopScope {
 public:
  explicit StopScope(const StopRequests& requests);
  ~StopScope();
  StopScope(const StopScope&) = delete;
  StopScope& operator=(const StopScope&) = delete;

 private:
  const StopRequests* outer_;
};

// Throws Stopped when a stop is wanted; does nothing outside of a StopScope. To be called a few
// times a second, where nothing is half done.
void stop_point();

}  // namespace keel
