#include "cli/stop_signals.h"

#include <signal.h>
#include <unistd.h>

#include <optional>

#include "cli/output.h"
#include "train/environment.h"
#include "train/time_limit.h"

namespace keel {
namespace {

StopRequests the_requests;
std::atomic<int> the_hangups{0};

// What a shell says of a process that the signal has ended.
constexpr int kEndedBySignal = 128;

extern "C" void on_stop(int number) {
  if (the_requests.ask_stop() > 0) ::_exit(kEndedBySignal + number);
}
extern "C" void on_save(int) { the_requests.ask_save(); }
extern "C" void on_hangup(int) { the_hangups.fetch_add(1); }

void install(int number, void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  ::sigaction(number, &action, nullptr);
}

}  // namespace

StopSignals::StopSignals() {
  the_requests.clear();
  install(SIGINT, on_stop);
  install(SIGUSR1, on_save);
  install(SIGHUP, on_hangup);
  install(SIGPIPE, SIG_IGN);
  install(SIGTERM, on_stop);
}

StopSignals::~StopSignals() {
  for (const int number : {SIGINT, SIGTERM, SIGUSR1, SIGHUP, SIGPIPE}) install(number, SIG_DFL);
}

StopRequests& StopSignals::requests() const { return the_requests; }

const std::atomic<int>& StopSignals::hangups() const { return the_hangups; }

void limit_time(StopRequests& requests, const std::string& max_time) {
  if (!max_time.empty()) requests.limit(parse_duration("--max-time", max_time), "--max-time");
  std::string note;
  if (const auto seconds = slurm_seconds_left(unix_time(), note)) {
    requests.limit(*seconds, "SLURM_JOB_END_TIME");
  }
  if (!note.empty()) say("warning: " + note);
}

}  // namespace keel
