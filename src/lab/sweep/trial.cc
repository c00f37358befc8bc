#include "lab/sweep/trial.h"

#include <fmt/format.h>

#include "core/error.h"

namespace keel {

const char* name_of(TrialState state) {
  switch (state) {
    case TrialState::kPending:
      return "pending";
    case TrialState::kRunning:
      return "running";
    case TrialState::kDone:
      return "done";
    case TrialState::kFailed:
      return "failed";
  }
  return "";
}

const char* name_of(TrialEnd end) {
  switch (end) {
    case TrialEnd::kFinished:
      return "finished";
    case TrialEnd::kStoppedEarly:
      return "stopped early";
    case TrialEnd::kNotFinite:
      return "not finite";
  }
  return "";
}

TrialEnd trial_end(std::string_view name) {
  for (const TrialEnd end : {TrialEnd::kFinished, TrialEnd::kStoppedEarly, TrialEnd::kNotFinite}) {
    if (name == name_of(end)) return end;
  }
  throw DataError(fmt::format("it ended as \"{}\"", name));
}

}  // namespace keel
