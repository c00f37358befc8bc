#include "lab/sweep/worker.h"

#include <sched.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <new>
#include <vector>

#include "core/clock.h"
#include "core/error.h"
#include "io/fs.h"
#include "io/json.h"
#include "lab/sweep/trial_run.h"

namespace keel {
namespace {

constexpr double kHeartbeatSeconds = 10;

std::string job_path(const std::string& out) { return join_path(out, "workers.json"); }

std::vector<std::string> strings(const Json& list) {
  std::vector<std::string> out;
  for (const Json& item : list.as_array()) out.push_back(item.as_string());
  return out;
}

class Work {
 public:
  Work(const std::string& out, StopRequests& requests)
      : out_(out), requests_(requests), job_(read_worker_job(out)), store_(out, "") {}

  void run() {
    while (!requests_.stop_wanted()) {
      const std::optional<TrialPlan> plan = store_.take(me_);
      if (!plan) return;
      run_one(*plan);
    }
  }

 private:
  void run_one(const TrialPlan& plan) {
    try {
      const std::optional<TrialResult> result =
          run_trial(store_, job_.setup, out_, plan, requests_, [&] { heartbeat(plan.id); });
      if (!result) {
        store_.give_back(plan.id, me_);
        return;
      }
      store_.finish(plan.id, me_, *result);
    } catch (const Error& e) {
      store_.fail(plan.id, me_, e.what());
      return;
    } catch (const std::bad_alloc&) {
      store_.fail(plan.id, me_, "out of memory");
      return;
    }
    // Only now: of a trial without a result the folder is what there is to go on from.
    if (!job_.keep && job_.setup.command.empty()) {
      real_fs().remove_quietly(trial_folder(out_, plan.id));
    }
  }

  void heartbeat(const std::string& id) {
    if (seconds_now() - heard_at_ < kHeartbeatSeconds) return;
    heard_at_ = seconds_now();
    store_.heartbeat(id, me_);
  }

  std::string out_;
  StopRequests& requests_;
  WorkerJob job_;
  TrialStore store_;
  Owner me_ = this_process();
  double heard_at_ = seconds_now();
};

}  // namespace

std::string setup_text(const TrialSetup& s) {
  Json j = Json::object();
  j.set("base", s.base).set("early_stop", s.early_stop).set("rule", Json::array_of(s.rule));
  j.set("command", s.command).set("log", s.log).set("folder", s.folder);
  j.set("columns", Json::array_of(s.columns)).set("time_limit", s.time_limit);
  j.set("steps", s.steps).set("warmup_steps", s.warmup_steps);
  j.set("unigram_entropy", s.unigram_entropy).set("threads", s.threads);
  return j.dump();
}

void write_worker_job(const std::string& out, const WorkerJob& job) {
  Json j = Json::object();
  j.set("setup", setup_text(job.setup)).set("keep", job.keep);
  real_fs().replace_file(job_path(out), j.dump() + "\n");
}

TrialSetup setup_of(const std::string& text) {
  const Json j = parse_json(text, "the setup of trials");
  TrialSetup s;
  s.base = j.at("base").as_string();
  s.early_stop = j.at("early_stop").as_bool();
  s.rule = strings(j.at("rule"));
  s.command = j.at("command").as_string();
  s.log = j.at("log").as_string();
  s.folder = j.at("folder").as_string();
  s.columns = strings(j.at("columns"));
  s.time_limit = j.at("time_limit").as_double();
  s.steps = j.at("steps").as_int();
  s.warmup_steps = j.at("warmup_steps").as_int();
  s.unigram_entropy = j.at("unigram_entropy").as_double();
  s.threads = j.at("threads").as_int();
  return s;
}

WorkerJob read_worker_job(const std::string& out) {
  const std::string path = job_path(out);
  const Json j = parse_json(real_fs().read_file(path, 1 << 20), path);
  return {setup_of(j.at("setup").as_string()), j.at("keep").as_bool()};
}

bool die_with(int64_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  return ::getppid() == parent;  // it may have ended before the line above
}

void pin_to_cores(int64_t core, int64_t threads) {
  cpu_set_t may;
  if (::sched_getaffinity(0, sizeof may, &may) != 0) return;
  std::vector<int> cores;
  for (int i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(i, &may)) cores.push_back(i);
  }
  cpu_set_t chosen;
  CPU_ZERO(&chosen);
  for (int64_t i = 0; i < threads && !cores.empty(); ++i) {
    CPU_SET(cores[static_cast<size_t>(core * threads + i) % cores.size()], &chosen);
  }
  // Where the system does not let it, it runs where it may.
  ::sched_setaffinity(0, sizeof chosen, &chosen);
}

void work(const std::string& out, StopRequests& requests) { Work(out, requests).run(); }

}  // namespace keel
