// What a plan says against what a trainer took.
#pragma once

#include <gtest/gtest.h>

#include "core/memory.h"
#include "train/plan.h"

namespace keel::test {

// `taken`: what heap_bytes_alive() rose by when the trainer was made; the copy that checkpoints are
// written from is no part of it. It has trained and evaluated.
inline void expect_planned(const Plan& plan, const Trainer& trainer, int64_t taken) {
  const MemoryUse used = trainer.memory();
  EXPECT_EQ(plan.bytes.weights, used.weights);
  EXPECT_EQ(plan.bytes.gradients, used.gradients);
  EXPECT_EQ(plan.bytes.optimizer, used.optimizer);
  EXPECT_EQ(plan.bytes.activations, used.activations);
  EXPECT_GT(used.activations, 0);
  EXPECT_EQ(plan.lasting_bytes(), taken + plan.copy_bytes);
  EXPECT_GE(plan.other_bytes, 0);
  EXPECT_EQ(plan.parameters, trainer.model().parameters().count());
}

}  // namespace keel::test
