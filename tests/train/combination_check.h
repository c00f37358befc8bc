// What must hold for every combination of techniques.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "exclusions.h"
#include "harness/check_op.h"
#include "io/temp_dir.h"
#include "plan_check.h"
#include "save_trainer.h"
#include "small_run.h"
#include "train/generate.h"
#include "training_gradient.h"

namespace keel::test {

inline std::vector<std::vector<float>> everything(const SmallRun& run) {
  std::vector<std::vector<float>> out{to_host(run.parameters().flat_weights())};
  for (const auto& b : run.parameters().buffers()) out.push_back(to_host(b.tensor));
  for (const StateTensor& s : run->state()) out.push_back(to_host(s.tensor));
  return out;
}

// What is planned is what a real step takes, and three steps later a run that was saved and one
// that was not have the same bits.
inline SmallRun expect_plan_and_resume(const std::vector<std::string>& sets, DType compute) {
  const int64_t before = heap_bytes_alive();
  SmallRun run(kCombinationRun, sets, compute);
  const int64_t taken = heap_bytes_alive() - before;
  SmallRun resumed(kCombinationRun, sets, compute);
  run.config.model.vocab = run.data->vocab();
  const Plan plan = make_plan(run.config, compute);
  Trainer planned(run.config, nullptr, DeviceKind::kMeta, compute);
  planned.plan();
  resumed->adopt_layouts(planned);
  resumed->step();  // what it was before must not matter
  run->step();
  const double loss = run->step().loss;
  EXPECT_TRUE(std::isfinite(loss));
  const TempDir dir;
  load_trainer(load_checkpoint(save_trainer(real_fs(), dir.path(), *run, {}, "")), *resumed);
  const StepResult a = run->step(), b = resumed->step();
  EXPECT_TRUE(a.finite);
  EXPECT_EQ(a.loss, b.loss);
  EXPECT_EQ(a.grad_norm, b.grad_norm);
  EXPECT_TRUE(everything(run) == everything(resumed));
  EXPECT_EQ(run->evaluate(0).loss, resumed->evaluate(0).loss);
  expect_planned(plan, *resumed, taken);
  expect_planned(plan, *run, taken);
  return run;
}

inline void expect_text(const SmallRun& run) {
  GenerateOptions options;
  options.tokens = 14;  // past the context
  options.temperature = 0;
  const Decoder& model = run->model();
  const bool ends = run.config.model.position.kind() == "learned";
  std::string text;
  const Generated g = generate(model, run.data->tokenizer(), "1 2 3", options,
                               [&](std::string_view piece) { text += piece; });
  EXPECT_TRUE(g.tokens == 14 || (ends && g.context_full)) << g.tokens;
  EXPECT_FALSE(text.empty());
}

inline void check_combination(const PairRow& row) {
  SCOPED_TRACE(describe(row));
  const std::vector<std::string> sets = sets_of(row);
  RunConfig config;
  load_config_text("test.toml", kCombinationRun, sets, config);
  const bool bf16 = config.train.dtype == "bf16" && cpu_has_bf16();
  expect_right_gradient(config);
  expect_text(expect_plan_and_resume(sets, bf16 ? DType::kBf16 : DType::kF32));
}

}  // namespace keel::test
