#include "lab/sweep/trial.h"

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

}  // namespace keel
