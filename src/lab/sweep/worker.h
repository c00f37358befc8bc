// What a worker process does: takes trials from a store until none is left.
#pragma once

#include <cstdint>
#include <string>

#include "core/stop.h"
#include "lab/sweep/runner.h"

namespace keel {

struct WorkerJob {
  TrialSetup setup;
  bool keep = false;  // run folders
};
// As JSON on one line: equal setups have equal texts.
std::string setup_text(const TrialSetup& setup);
TrialSetup setup_of(const std::string& text);
// OUT/workers.json.
void write_worker_job(const std::string& out, const WorkerJob& job);
WorkerJob read_worker_job(const std::string& out);

// From now on this process is killed when `parent`, the process that started it, ends. False when
// it has ended already.
bool die_with(int64_t parent);
// Lets this process run on `threads` cores alone, the `core`-th such set of those it may use now,
// counted around.
void pin_to_cores(int64_t core, int64_t threads);

// Until no trial can be taken, or a stop is asked for; the trial at hand is then given back.
void work(const std::string& out, StopRequests& requests);

}  // namespace keel
