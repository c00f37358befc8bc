// A trainer that belongs to no run, for measuring.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "train/config.h"
#include "train/plan.h"
#include "train/trainer.h"

namespace keel {

struct PlannedConfig {
  RunConfig config;  // dtype and vocab settled
  DType compute = DType::kF32;
  Plan plan;
  std::vector<std::string> notes;
  std::unique_ptr<Dataset> data;  // only where the vocabulary had to be looked up
};
// Reads and plans a config. Where only the data knows the vocabulary, the data is opened.
PlannedConfig plan_config(const std::string& path, const std::vector<std::string>& sets);

struct Rig {
  PlannedConfig planned;
  std::unique_ptr<Dataset> data;
  std::unique_ptr<Trainer> trainer;
};
// Everything that training needs. Throws as create_session does.
Rig open_rig(PlannedConfig planned);

struct MeasuredStep {
  StepResult result;
  double seconds = 0;
};
// `discard` steps that are not measured, then `steps` that are.
std::vector<MeasuredStep> measure_steps(Trainer& trainer, int64_t discard, int64_t steps);
// Seconds of steps of two trainers in turn, as many of each; which one begins changes from pair to
// pair, so that a slow second of the machine falls on both.
struct StepPair {
  double a = 0, b = 0;
};
std::vector<StepPair> measure_pairs(Trainer& a, Trainer& b, int64_t discard, int64_t pairs);
std::vector<double> seconds_of(const std::vector<MeasuredStep>& steps);

}  // namespace keel
