#include "cli/stop_signals.h"

#include <signal.h>
#include <unistd.h>

#include "cli/output.h"

namespace keel {
namespace {

std::atomic<int> stop_requests{0};
static_assert(std::atomic<int>::is_always_lock_free);

extern "C" void on_stop_signal(int number) {
  if (stop_requests.fetch_add(1) > 0 && number == SIGINT) ::_exit(kExitInterrupted);
}

void install(void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

}  // namespace

StopSignals::StopSignals() {
  stop_requests.store(0);
  install(on_stop_signal);
}

StopSignals::~StopSignals() { install(SIG_DFL); }

const std::atomic<int>& StopSignals::requests() const { return stop_requests; }

}  // namespace keel
