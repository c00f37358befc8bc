#include "lab/sweep/runner.h"

#include <fmt/format.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstring>
#include <set>
#include <utility>

#include "core/clock.h"
#include "core/error.h"
#include "io/fs.h"
#include "lab/sweep/worker.h"
#include "train/run_dir.h"

namespace keel {
namespace {

constexpr double kTickSeconds = 0.2;
constexpr useconds_t kStopNap = 20'000;
// Of a limited time: what workers may take to end a step and save.
constexpr double kSecondsToStop = 3;
// Workers on end that died before they had taken a trial.
constexpr int64_t kMostFruitless = 20;

std::string this_program() {
  char path[PATH_MAX];
  const ssize_t n = ::readlink("/proc/self/exe", path, sizeof path);
  if (n <= 0) throw IoError(fmt::format("/proc/self/exe: cannot read: {}", std::strerror(errno)));
  return {path, static_cast<size_t>(n)};
}

int64_t cores_of_this_process() {
  cpu_set_t may;
  return ::sched_getaffinity(0, sizeof may, &may) == 0 ? CPU_COUNT(&may) : 1;
}

// What a program that does wrong is ended by; other signals come from outside.
bool is_its_own_fault(int number) {
  constexpr int kFaults[] = {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSYS, SIGTRAP};
  return std::find(std::begin(kFaults), std::end(kFaults), number) != std::end(kFaults);
}

struct Worker {
  pid_t pid = -1;
  int64_t core = 0;
  Owner owner;
};

// In a process group of its own: a Ctrl-C is for the runner, which tells its workers once.
pid_t spawn(const std::string& program, const std::string& out, int64_t core) {
  const std::vector<std::string> words = {program,
                                          "sweep-worker",
                                          out,
                                          "--core",
                                          std::to_string(core),
                                          "--parent",
                                          std::to_string(::getpid())};
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (const std::string& w : words) argv.push_back(const_cast<char*>(w.c_str()));
  argv.push_back(nullptr);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  pid_t pid = -1;
  const int error =
      ::posix_spawn(&pid, program.c_str(), nullptr, &attributes, argv.data(), environ);
  ::posix_spawnattr_destroy(&attributes);
  if (error != 0) {
    throw IoError(fmt::format("{}: cannot be started: {}", program, std::strerror(error)));
  }
  return pid;
}

class Runner {
 public:
  Runner(TrialStore& store, const RunnerOptions& options, int64_t jobs)
      : store_(store),
        out_(options.out),
        program_(options.program.empty() ? this_program() : options.program),
        jobs_(jobs) {}

  // What ends the runner ends its workers.
  ~Runner() {
    for (const Worker& w : workers_) ::kill(w.pid, SIGKILL);
    for (const Worker& w : workers_) ::waitpid(w.pid, nullptr, 0);
  }
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  RunnerEnd run(StopRequests& requests, const std::function<void(const TrialCounts&)>& tick) {
    RunnerEnd end;
    double ticked_at = -kTickSeconds;
    bool told = false;
    while (true) {
      const bool changed = collect();
      if (requests.stop_wanted() && !std::exchange(told, true)) {
        for (const Worker& w : workers_) ::kill(w.pid, SIGTERM);
      }
      if (changed || seconds_now() - ticked_at >= kTickSeconds) {
        end.counts = store_.counts();
        tick(end.counts);
        ticked_at = seconds_now();
        if (!told) start_workers(end.counts);
      }
      const bool all_done = end.counts.pending + end.counts.running == 0;
      if (workers_.empty() && (told || all_done)) break;
      ::usleep(kStopNap);
    }
    end.counts = store_.counts();
    end.stopped = end.counts.pending + end.counts.running > 0;
    return end;
  }

 private:
  void start_workers(const TrialCounts& counts) {
    const int64_t wanted = std::min(jobs_, counts.pending + std::ssize(workers_));
    for (int64_t core = 0; core < jobs_ && std::ssize(workers_) < wanted; ++core) {
      const bool taken = std::any_of(workers_.begin(), workers_.end(),
                                     [&](const Worker& w) { return w.core == core; });
      if (taken) continue;
      Worker w{spawn(program_, out_, core), core, {}};
      w.owner = owner_of(w.pid).value_or(Owner{});
      workers_.push_back(w);
    }
  }

  // Whether a worker has ended.
  bool collect() {
    bool changed = false;
    for (size_t i = 0; i < workers_.size();) {
      int status = 0;
      if (::waitpid(workers_[i].pid, &status, WNOHANG) != workers_[i].pid) {
        ++i;
        continue;
      }
      const Worker ended = workers_[i];
      workers_.erase(workers_.begin() + static_cast<ptrdiff_t>(i));
      note_end(ended, status);
      changed = true;
    }
    return changed;
  }

  // A worker that was killed costs its trial nothing: take() finds its owner gone. One that died of
  // what it did has failed.
  void note_end(const Worker& worker, int status) {
    const bool well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    const std::string how = WIFSIGNALED(status)
                                ? fmt::format("signal {} ended it", WTERMSIG(status))
                                : fmt::format("it ended with code {}", WEXITSTATUS(status));
    const std::vector<std::string> held = store_.held_by(worker.owner);
    if (WIFEXITED(status) ? !well : is_its_own_fault(WTERMSIG(status))) {
      for (const std::string& id : held) {
        store_.fail(id, worker.owner, fmt::format("the worker that ran it died: {}", how));
      }
    }
    fruitless_ = well || !held.empty() ? 0 : fruitless_ + 1;
    if (fruitless_ < kMostFruitless) return;
    throw IoError(
        fmt::format("{} sweep-worker {}: {} times on end it died before it had taken a "
                    "trial, the last time: {}",
                    program_, out_, fruitless_, how));
  }

  TrialStore& store_;
  std::string out_, program_;
  int64_t jobs_;
  std::vector<Worker> workers_;
  int64_t fruitless_ = 0;
};

// What workers that were killed could not clear away any more: runs that were being made, and those
// of trials whose result is in the store. No worker lives.
void clear_away(TrialStore& store, const TrialSetup& setup, const RunnerOptions& options) {
  Fs& fs = real_fs();
  const std::string folder = join_path(options.out, "trials");
  if (!fs.is_dir(folder)) return;
  std::set<std::string> done;
  if (!options.keep && setup.command.empty()) {
    for (const TrialRow& row : store.rows(false)) {
      if (row.state == TrialState::kDone) done.insert(row.plan.id);
    }
  }
  for (const std::string& name : fs.list(folder)) {
    if (is_temporary(name) || done.contains(name)) fs.remove_quietly(join_path(folder, name));
  }
}

}  // namespace

int64_t default_jobs(const TrialSetup& setup) {
  return std::max<int64_t>(cores_of_this_process() / std::max<int64_t>(setup.threads, 1), 1);
}

RunnerEnd run_trials(TrialStore& store, const TrialSetup& setup, const RunnerOptions& options,
                     StopRequests& requests, const std::function<void(const TrialCounts&)>& tick) {
  write_worker_job(options.out, {setup, options.keep});
  Runner runner(store, options, options.jobs > 0 ? options.jobs : default_jobs(setup));
  requests.keep_back(kSecondsToStop);
  const RunnerEnd end = runner.run(requests, tick);
  clear_away(store, setup, options);
  return end;
}

SweepLock::SweepLock(const std::string& out) : file_(lock_folder(out, "sweep")) {}

SweepLock::~SweepLock() { ::close(file_); }

}  // namespace keel
