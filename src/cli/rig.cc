#include "cli/rig.h"

#include "config/load.h"
#include "core/clock.h"
#include "core/parallel.h"
#include "train/environment.h"

namespace keel {
namespace {

MeasuredStep measure_step(Trainer& trainer) {
  const double begin = seconds_now();
  MeasuredStep step{trainer.step(), 0};
  step.seconds = seconds_now() - begin;
  return step;
}

}  // namespace

PlannedConfig plan_config(const std::string& path, const std::vector<std::string>& sets) {
  PlannedConfig p;
  p.notes = load_config(path, sets, p.config).notes;
  RunConfig& c = p.config;
  set_num_threads(static_cast<int>(c.train.threads));
  std::string reason;
  p.compute = resolve_dtype(c, reason);
  if (!reason.empty()) p.notes.push_back("train.dtype: " + reason);
  c.train.dtype = std::string(name_of(p.compute));
  if (c.model.vocab == 0 && c.data.vocab().value_or(0) == 0) {
    p.data = Dataset::open(c.data, c.dataset_args());
    c.model.vocab = p.data->vocab();
  }
  p.plan = make_plan(c, p.compute);
  return p;
}

Rig open_rig(PlannedConfig planned) {
  Rig rig{std::move(planned), nullptr, nullptr};
  RunConfig& c = rig.planned.config;
  const DeviceKind device = resolve_device(c);
  check_memory(rig.planned.plan, memory_available_bytes());
  rig.data =
      rig.planned.data ? std::move(rig.planned.data) : Dataset::open(c.data, c.dataset_args());
  if (c.model.vocab == 0) c.model.vocab = rig.data->vocab();
  rig.trainer = std::make_unique<Trainer>(c, rig.data.get(), device, rig.planned.compute);
  return rig;
}

std::vector<MeasuredStep> measure_steps(Trainer& trainer, int64_t discard, int64_t steps) {
  std::vector<MeasuredStep> out;
  for (int64_t i = 0; i < discard + steps; ++i) {
    const MeasuredStep step = measure_step(trainer);
    if (i >= discard) out.push_back(step);
  }
  return out;
}

std::vector<StepPair> measure_pairs(Trainer& a, Trainer& b, int64_t discard, int64_t pairs) {
  std::vector<StepPair> out;
  for (int64_t i = 0; i < discard + pairs; ++i) {
    StepPair pair;
    if (i % 2 == 0) pair.a = measure_step(a).seconds;
    pair.b = measure_step(b).seconds;
    if (i % 2 != 0) pair.a = measure_step(a).seconds;
    if (i >= discard) out.push_back(pair);
  }
  return out;
}

std::vector<double> seconds_of(const std::vector<MeasuredStep>& steps) {
  std::vector<double> out;
  out.reserve(steps.size());
  for (const MeasuredStep& s : steps) out.push_back(s.seconds);
  return out;
}

}  // namespace keel
