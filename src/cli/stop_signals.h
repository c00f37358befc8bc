// What a run is told from outside, as flags that it looks at when it is ready to: the handlers do
// nothing else. Ctrl-C and SIGTERM: save and end; the second of them ends the process at once, with
// 130 or 143. SIGUSR1: save and go on. SIGHUP: a line of the log for each step, or again as many as
// before; so a terminal that hangs up does not end a run. A reader of the output that goes away
// (SIGPIPE) does not either.
#pragma once

#include <atomic>
#include <string>

#include "core/stop.h"

namespace keel {

// Installed while an object lives; one at a time.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  StopRequests& requests() const;
  // How many SIGHUPs there were.
  const std::atomic<int>& hangups() const;
};

// What --max-time says (empty: nothing), and the end that Slurm has set for its job. ConfigError.
void limit_time(StopRequests& requests, const std::string& max_time);

}  // namespace keel
