#include "lab/sweep/external.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <limits>
#include <map>
#include <set>

#include "config/load.h"
#include "config/text.h"
#include "core/clock.h"
#include "core/error.h"
#include "io/fs.h"
#include "io/json.h"
#include "lab/sweep/trial_log.h"
#include "lab/sweep/trial_run.h"
#include "train/run_dir.h"

namespace keel {
namespace {

constexpr useconds_t kNapMicroseconds = 20'000;
constexpr double kGraceSeconds = 5;  // between asking to stop and ending
constexpr double kLookSeconds = 2;   // between two looks at a log that is being written
constexpr const char* kMark = "KEEL_TRIAL";

// What {NAME} may stand for.
struct Placeholders {
  std::map<std::string, std::string> values;
  std::set<std::string> ambiguous;  // last parts of several keys
};

// A value without the quotes of TOML.
std::string bare(const std::string& value) {
  if (!value.starts_with('"')) return value;
  return parse_json(value, "a value of a trial").as_string();
}

Placeholders placeholders(const TrialPlan& plan, const std::string& out) {
  std::map<std::string, std::string> keys;
  for (const std::string& set : plan.sets) {
    const size_t equals = std::min(set.find('='), set.size() - 1);
    keys[set.substr(0, equals)] = bare(set.substr(equals + 1));
  }
  for (const auto& [key, value] : plan.values) keys[key] = bare(value);
  Placeholders p{keys, {}};
  for (const auto& [key, value] : keys) {
    const std::string last = key.substr(key.rfind('.') + 1);
    if (last != key && !p.values.emplace(last, value).second) p.ambiguous.insert(last);
  }
  for (const auto& [key, value] : keys) p.ambiguous.erase(key);
  p.values["seed"] = std::to_string(plan.seed);
  p.values["out"] = out;
  p.values["arm"] = plan.arm;
  return p;
}

std::string value_in(const Placeholders& p, const std::string& name) {
  if (p.ambiguous.contains(name)) {
    throw ConfigError(fmt::format(
        "trial.command: {{{}}} could be the value of several keys; name one in full", name));
  }
  const auto it = p.values.find(name);
  if (it != p.values.end()) return it->second;
  std::vector<std::string> known;
  for (const auto& entry : p.values) known.push_back(entry.first);
  throw ConfigError(
      fmt::format("trial.command: {{{}}} names nothing{} (known: {}); a brace itself "
                  "is written twice",
                  name, suggestion(name, known), fmt::join(known, " ")));
}

// Processes of an earlier attempt whose worker was killed: they carry the mark of their trial in
// their environment.
void end_leftovers(const std::string& mark) {
  Fs& fs = real_fs();
  for (const std::string& name : fs.list("/proc")) {
    const int64_t pid = std::strtoll(name.c_str(), nullptr, 10);
    if (pid <= 1 || pid == ::getpid()) continue;
    try {
      const std::string environment =
          '\0' + fs.read_file(join_path(join_path("/proc", name), "environ"), 1 << 24) + '\0';
      if (environment.find('\0' + mark + '\0') != environment.npos) {
        ::kill(static_cast<pid_t>(pid), SIGKILL);
      }
    } catch (const DataError&) {
      continue;  // it is gone, or another user's
    }
  }
}

class Command {
 public:
  Command(const std::string& text, const std::string& work_folder, const std::string& folder)
      : text_(text), folder_(folder) {
    const std::string mark = fmt::format("{}={}", kMark, folder);
    end_leftovers(mark);
    Fs& fs = real_fs();
    if (fs.exists(folder)) fs.remove_tree(folder);
    fs.make_dirs(folder);
    start(mark, work_folder);
  }
  ~Command() {
    if (pid_ > 0) end(SIGKILL);
  }
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  // Whether it has ended by itself.
  bool ended() {
    if (::wait4(pid_, &status_, WNOHANG, &usage_) != pid_) return false;
    ::kill(-pid_, SIGKILL);  // what it left running
    pid_ = -1;
    return true;
  }
  // Asks the whole group to end, and after a while makes it.
  void stop() {
    ::kill(-pid_, SIGTERM);
    const double begin = seconds_now();
    while (!ended() && seconds_now() - begin < kGraceSeconds) ::usleep(kNapMicroseconds);
    if (pid_ > 0) end(SIGKILL);
  }

  int64_t peak_bytes() const { return usage_.ru_maxrss * 1024; }
  // Why it did not end well; or empty.
  std::string failure() const {
    if (WIFEXITED(status_) && WEXITSTATUS(status_) == 0) return {};
    std::string how = WIFEXITED(status_) ? fmt::format("with code {}", WEXITSTATUS(status_))
                                         : fmt::format("by signal {}", WTERMSIG(status_));
    return fmt::format("the command ended {}; its outputs: {} and stdout{}", how,
                       join_path(folder_, "stderr"), last_line());
  }

 private:
  void end(int number) {
    ::kill(-pid_, number);
    ::wait4(pid_, &status_, 0, &usage_);
    pid_ = -1;
  }

  // What a program says last is mostly why it ended.
  std::string last_line() const {
    std::string text;
    try {
      text = real_fs().read_file(join_path(folder_, "stderr"), 1 << 24);
    } catch (const DataError&) {
      return {};
    }
    while (text.ends_with('\n')) text.pop_back();
    const std::string line = text.substr(text.rfind('\n') + 1);
    return line.empty() ? "" : fmt::format("; the last line: {}", line);
  }

  void start(const std::string& mark, const std::string& work_folder) {
    const std::string out = join_path(folder_, "stdout"), err = join_path(folder_, "stderr");
    std::vector<std::string> variables{mark};
    for (char** v = environ; *v != nullptr; ++v) {
      if (!std::string_view(*v).starts_with(fmt::format("{}=", kMark))) variables.emplace_back(*v);
    }
    std::vector<char*> environment;
    environment.reserve(variables.size() + 1);
    for (std::string& v : variables) environment.push_back(v.data());
    environment.push_back(nullptr);
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ < 0) {
      throw IoError(fmt::format("trial.command cannot be started: {}", std::strerror(errno)));
    }
    if (pid_ == 0) become(parent, work_folder.c_str(), out.c_str(), err.c_str(), environment);
    ::setpgid(pid_, pid_);
  }

  // In the child: nothing that allocates.
  [[noreturn]] void become(pid_t parent, const char* work_folder, const char* out, const char* err,
                           const std::vector<char*>& environment) const {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGPIPE}) {
      ::signal(number, SIG_DFL);
    }
    const int nothing = ::open("/dev/null", O_RDONLY);
    const int to_out = ::open(out, O_CREAT | O_WRONLY | O_APPEND, 0666);
    const int to_err = ::open(err, O_CREAT | O_WRONLY | O_APPEND, 0666);
    ::dup2(nothing, STDIN_FILENO);
    ::dup2(to_out, STDOUT_FILENO);
    ::dup2(to_err, STDERR_FILENO);
    if (::chdir(work_folder) != 0) ::_exit(127);
    ::execle("/bin/sh", "sh", "-c", text_.c_str(), static_cast<char*>(nullptr), environment.data());
    ::_exit(127);
  }

  std::string text_, folder_;
  pid_t pid_ = -1;
  int status_ = 0;
  rusage usage_{};
};

// Whether its losses so far say that it is lost.
class LogWatch {
 public:
  LogWatch(const TrialSetup& setup, std::string log, LogColumns columns)
      : setup_(setup), log_(std::move(log)), columns_(std::move(columns)) {
    on_ = setup.early_stop && setup.steps > 0 && setup.unigram_entropy > 0;
  }
  std::optional<Irrevocable> look() {
    if (!on_ || seconds_now() - looked_at_ < kLookSeconds) return std::nullopt;
    looked_at_ = seconds_now();
    try {
      run = logged_so_far(read_log(log_, columns_, false));
    } catch (const DataError&) {
      return std::nullopt;  // what is wrong with it is said when it is whole
    }
    EarlyStop stop({setup_.warmup_steps, setup_.steps, setup_.unigram_entropy}, rule_of(setup_));
    for (size_t i = 0; i < run.losses.size(); ++i) {
      if (!std::isfinite(run.losses[i]) || !stop.add(run.losses[i])) continue;
      run.losses.resize(i + 1);
      return stop.stopped();
    }
    return std::nullopt;
  }
  LoggedRun run;

 private:
  const TrialSetup& setup_;
  std::string log_;
  LogColumns columns_;
  bool on_ = false;
  double looked_at_ = seconds_now();
};

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

TrialResult result_of(const TrialSetup& setup, const LoggedRun& run) {
  TrialResult r;
  r.losses = run.losses;
  r.steps = setup.steps > 0 ? setup.steps : std::ssize(run.losses);
  r.val_loss = run.val_loss.value_or(kNan);
  r.numbers["warmup_steps"] = static_cast<double>(setup.warmup_steps);
  // Without a stated entropy the loss of a model that has learnt nothing stands for it. Where that
  // is no number the run is lost whatever the entropy is.
  const double first = run.losses.front();
  r.numbers["unigram_entropy"] = setup.unigram_entropy > 0           ? setup.unigram_entropy
                                 : std::isfinite(first) && first > 0 ? first
                                                                     : 1.0;
  return r;
}

TrialResult read_result(const TrialSetup& setup, const std::string& log, const LogColumns& columns,
                        const std::string& failure) {
  LoggedRun run;
  try {
    run = logged_run(read_log(log, columns, true), setup.steps);
  } catch (const DataError& e) {
    throw DataError(failure.empty() ? std::string(e.what()) : failure);
  }
  // A trainer may take a loss that is not finite for an error of its own; to us it is a result.
  if (!failure.empty() && run.not_finite.empty()) throw DataError(failure);
  if (run.not_finite.empty() && !run.val_loss && columns.val_loss.empty()) {
    const size_t n =
        std::min(run.losses.size(),
                 static_cast<size_t>(verdict_window(std::ssize(run.losses), rule_of(setup))));
    double sum = 0;
    for (size_t i = run.losses.size() - n; i < run.losses.size(); ++i) sum += run.losses[i];
    run.val_loss = sum / static_cast<double>(n);
  }
  if (run.not_finite.empty() && !run.val_loss) {
    throw DataError(fmt::format("{}: has no value of \"{}\"", log, columns.val_loss));
  }
  TrialResult r = result_of(setup, run);
  if (run.not_finite.empty()) return r;
  r.ended = TrialEnd::kNotFinite;
  r.reason = run.not_finite;
  r.val_loss = kNan;
  return r;
}

}  // namespace

void ExternalConfig::Columns::fields(Fields& f) {
  f("step", step, "steps done, counted from 0 or from 1");
  f("loss", loss, "training loss, nats a token");
  f("val_loss", val_loss, "validation loss; \"\": the mean of the last training losses");
}

void ExternalConfig::fields(Fields& f) {
  f("command", command, "of a trainer that is not ours, with {lr}, {seed}, {out} and so on");
  f("log", log, "what it writes, below {out}: .csv, .jsonl or TensorBoard's event files");
  f("columns", columns, "names in the log");
  f("time_limit", time_limit, "seconds after which it is ended and has failed; 0: none",
    at_least(0));
  f("steps", steps, "that it does; 0: as many as it logs", at_least(0));
  f("warmup", warmup, "steps of its warm-up", at_least(0));
  f("unigram_entropy", unigram_entropy,
    "of its training data, nats a token; 0: its first loss stands for it", at_least(0));
}

void ExternalConfig::validate(Errors& errors) const {
  if (!is_log_name(log)) {
    errors.add(
        "log",
        "must end in .csv or .jsonl, or be one of TensorBoard's event files or a folder of them",
        {});
  }
  if (steps > 0 && warmup > steps) {
    errors.add("warmup", fmt::format("{} is more than steps = {}", warmup, steps), {"steps"});
  }
}

void check_base(const std::string& base, const ExternalConfig& trial, Errors& errors) {
  if (base.empty() != trial.command.empty()) return;
  errors.add("base",
             base.empty() ? "missing: the config of the trials, or trial.command for a trainer "
                            "that is not ours"
                          : "has no meaning beside trial.command",
             {"trial.command"});
}

void put(const ExternalConfig& config, TrialSetup& setup) {
  setup.command = config.command;
  setup.log = config.log;
  setup.columns = {"step=" + config.columns.step, "loss=" + config.columns.loss,
                   "val_loss=" + config.columns.val_loss};
  setup.time_limit = config.time_limit;
  setup.steps = config.steps;
  setup.warmup_steps = config.warmup;
  setup.unigram_entropy = config.unigram_entropy;
}

std::string fill_in(const std::string& command, const TrialPlan& plan, const std::string& out) {
  const Placeholders known = placeholders(plan, out);
  std::string text;
  for (size_t at = 0; at < command.size();) {
    const std::string_view rest = std::string_view(command).substr(at);
    if (rest.starts_with("{{") || rest.starts_with("}}")) {
      text += rest[0];
      at += 2;
    } else if (rest[0] == '{') {
      const size_t end = rest.find('}');
      if (end == rest.npos) throw ConfigError("trial.command: a { is not closed");
      text += shell_quote(value_in(known, std::string(rest.substr(1, end - 1))));
      at += end + 1;
    } else {
      text += rest[0];
      ++at;
    }
  }
  return text;
}

std::optional<TrialResult> run_external(const TrialSetup& setup, const std::string& folder,
                                        const TrialPlan& plan, StopRequests& requests,
                                        const std::function<void()>& heartbeat) {
  const std::string out = std::filesystem::absolute(folder).lexically_normal();
  const std::string log = join_path(out, setup.log);
  const LogColumns columns = log_columns(setup.columns);
  const double begin = seconds_now();
  Command command(fill_in(setup.command, plan, out), setup.folder, out);
  LogWatch watch(setup, log, columns);
  std::optional<TrialResult> result;
  while (!command.ended()) {
    heartbeat();
    if (requests.stop_wanted()) {
      command.stop();
      return std::nullopt;
    }
    if (setup.time_limit > 0 && seconds_now() - begin > setup.time_limit) {
      throw DataError(
          fmt::format("the command took longer than trial.time_limit = {} s and was "
                      "ended; its outputs: {} and stdout",
                      plain(setup.time_limit), join_path(out, "stderr")));
    }
    if (const auto lost = watch.look()) {
      command.stop();
      result = result_of(setup, watch.run);
      result->val_loss = kNan;
      result->ended = TrialEnd::kStoppedEarly;
      result->reason = lost->reason;
      break;
    }
    ::usleep(kNapMicroseconds);
  }
  if (!result) result = read_result(setup, log, columns, command.failure());
  result->seconds = seconds_now() - begin;
  result->step_seconds = result->seconds / static_cast<double>(result->losses.size());
  result->peak_bytes = command.peak_bytes();
  return result;
}

}  // namespace keel
