// Trains on a language whose entropy is known and compares: the loss must come near the floor, and
// a loss below it would mean that the model sees what it is to foretell.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "config/load.h"
#include "data/dataset.h"
#include "data/language.h"
#include "train/trainer.h"

namespace keel::test {

// Standard error of the mean surprisal of the validation windows under the language itself: what
// the floor's own sampling noise is there.
inline double standard_error(const Dataset& data, const Language& language, int64_t context) {
  Batch b;
  std::vector<int32_t> tokens(static_cast<size_t>(context) + 1);
  std::vector<double> nats(static_cast<size_t>(context));
  double sum = 0, squares = 0;
  const int64_t n = data.eval_windows();
  for (int64_t w = 0; w < n; ++w) {
    data.eval_batch(w, 1, b);
    tokens[0] = b.inputs[0];
    for (size_t i = 0; i < nats.size(); ++i) tokens[i + 1] = b.targets[i];
    language.surprisal(tokens, nats);
    double mean = 0;
    for (double x : nats) mean += x / static_cast<double>(context);
    sum += mean;
    squares += mean * mean;
  }
  const double count = static_cast<double>(n);
  const double variance = squares / count - (sum / count) * (sum / count);
  return std::sqrt(variance / count);
}

inline void expect_reaches_floor(const std::vector<std::string>& sets, double within) {
  RunConfig c;
  load_config_text("floor", "", sets, c);
  const auto data = Dataset::open(
      c.data, {.context = c.model.context, .vocab = 0, .seed = 0, .lanes = c.sequences()});
  Trainer trainer(c, data.get(), DeviceKind::kCpu, DType::kF32);
  while (trainer.steps_done() < c.train.steps) ASSERT_TRUE(trainer.step().finite);
  const double loss = trainer.evaluate(0).loss, floor = data->entropy_floor().value();
  const auto reader = readers().make(c.data.reader);
  const double error =
      standard_error(*data, dynamic_cast<const Language&>(*reader), c.model.context);
  EXPECT_LT(loss, floor + within);
  EXPECT_GT(loss, floor - 3 * error) << "the model knows more than the context tells";
}

}  // namespace keel::test
