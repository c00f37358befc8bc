// The trials of a sweep in one SQLite file, OUT/sweep.db: what is to be run, who runs it, what came
// of it. Several processes work on it; every change is one transaction, so that a process that is
// killed loses nothing and no trial is run twice.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lab/sweep/trial.h"

namespace keel {

// A process that can be told from every other one, also after its number is used again.
struct Owner {
  std::string host;
  int64_t pid = 0;
  uint64_t start_time = 0;  // of the process, as the kernel counts it
  bool operator==(const Owner&) const = default;
};
Owner this_process();
// A process of this host; none when there is none of that number, or only its remains.
std::optional<Owner> owner_of(int64_t pid);
// False only for a process of this host that is known to be gone.
bool may_live(const Owner& owner);

struct TrialCounts {
  int64_t trials = 0, done = 0, running = 0, failed = 0, pending = 0;  // the four sum to trials
  int64_t duplicates = 0;  // results beyond one for each trial that is done
};

class TrialStore {
 public:
  static constexpr int64_t kMostAttempts = 2;  // of a trial that fails by itself
  // An owner of another host, of which nothing can be known, counts as gone when it has not been
  // heard of for so long.
  static constexpr double kLeaseSeconds = 300;

  // Opens or makes the store of `out`, a folder that exists; with an empty kind only opens it,
  // whatever its kind. DataError: another version, another kind ("sweep", "frontier") or not such a
  // file.
  TrialStore(const std::string& out, const std::string& kind);
  ~TrialStore();
  TrialStore(const TrialStore&) = delete;
  TrialStore& operator=(const TrialStore&) = delete;

  // Adds those whose id is not there yet; the others stay as they are.
  void add(const std::vector<TrialPlan>& trials);
  // A trial that nobody has, the first in the order in which they were added: it is running now and
  // `owner`'s. A trial whose owner is gone counts as pending.
  std::optional<TrialPlan> take(const Owner& owner);
  // Both do nothing and say false unless the trial is still `owner`'s.
  bool finish(const std::string& id, const Owner& owner, const TrialResult& result);
  // The attempt failed by itself: pending again, or failed after kMostAttempts.
  bool fail(const std::string& id, const Owner& owner, const std::string& error);
  // Gives it back unharmed, as when a stop is asked for.
  bool give_back(const std::string& id, const Owner& owner);
  void heartbeat(const std::string& id, const Owner& owner);
  // What `owner` has, in the order of the store.
  std::vector<std::string> held_by(const Owner& owner);
  // Failed trials to pending again, with no attempts; how many there were.
  int64_t retry_failed();

  // Trials whose owner is gone count as pending.
  TrialCounts counts();
  // Mean of the seconds of those that are done; none before the first.
  std::optional<double> mean_seconds();
  // In the order in which they were added. Without `results` those are left out.
  std::vector<TrialRow> rows(bool results = true);
  std::optional<TrialRow> row(const std::string& id);

  // Texts about the whole: the file it was made from, versions, H1.
  void set_meta(const std::string& key, const std::string& value);
  std::map<std::string, std::string> meta();
  // DataError "PATH: store of trials: TEXT", for a text of its that cannot be right.
  [[noreturn]] void refuse(const std::string& text) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace keel
