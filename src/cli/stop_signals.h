// Ctrl-C and SIGTERM as a request to stop: the handler only counts. A second Ctrl-C ends the
// process at once with exit code 130.
#pragma once

#include <atomic>

namespace keel {

// Installed while an object lives; one at a time.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  // Above 0 once a stop is asked for.
  const std::atomic<int>& requests() const;
};

}  // namespace keel
