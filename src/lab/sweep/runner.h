// Runs the trials of a store by worker processes of this program (`keel sweep-worker`), each pinned
// to a core, until none is pending.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/stop.h"
#include "lab/sweep/store.h"

namespace keel {

// What workers need to know beside the store; written to OUT/workers.json.
struct TrialSetup {
  std::string base;  // config file of our own trainer
  // Early stop by loss alone (EarlyStop of lab/verdict.h); its numbers as `key=value` of [rule].
  bool early_stop = true;
  std::vector<std::string> rule;
  // A trainer that is not ours; empty: ours. See external.h.
  std::string command, log;
  std::string folder;                // where the command is run
  std::vector<std::string> columns;  // "step=iter", "loss=train_loss", "val_loss=..."
  double time_limit = 0;             // seconds a trial; 0: none
  // Of an external trainer, for the rule: steps, warm-up, H1.
  int64_t steps = 0, warmup_steps = 0;
  double unigram_entropy = 0;
  // Threads of a trial; its worker is pinned to as many cores.
  int64_t threads = 1;
};

struct RunnerOptions {
  std::string out;      // the folder of the store
  int64_t jobs = 0;     // 0: as many as cores, for trials of one thread
  bool keep = false;    // keep the run folders of trials that are done, else only their results
  std::string program;  // whose `sweep-worker` is started; empty: this one
};

// Trials at a time where nobody says: as many as cores, for the threads of a trial.
int64_t default_jobs(const TrialSetup& setup);

struct RunnerEnd {
  bool stopped = false;  // before its end, as asked
  TrialCounts counts;
};

// Blocks until no trial is pending or running, or a stop is asked for: workers then give their
// trials back. Workers that die are started anew. `tick` is called a few times a second with how it
// stands. IoError, DataError.
RunnerEnd run_trials(TrialStore& store, const TrialSetup& setup, const RunnerOptions& options,
                     StopRequests& requests, const std::function<void(const TrialCounts&)>& tick);

// Holds OUT for one process; ConfigError naming the holder where another one has it.
class SweepLock {
 public:
  explicit SweepLock(const std::string& out);
  ~SweepLock();
  SweepLock(const SweepLock&) = delete;
  SweepLock& operator=(const SweepLock&) = delete;

 private:
  int file_ = -1;
};

}  // namespace keel
