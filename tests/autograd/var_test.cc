#include "autograd/var.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "core/arena.h"
#include "core/error.h"
#include "harness/expect_error.h"

namespace keel {
namespace {

Tensor values(std::vector<float> v) { return from_host({static_cast<int64_t>(v.size())}, v); }

Tensor times(const Tensor& x, float factor) {
  Tensor y = like(x);
  for (int64_t i = 0; i < x.size(); ++i) y.data<float>()[i] = factor * x.data<float>()[i];
  return y;
}

void give(const Grad& to, const Tensor& dy, float factor) {
  if (!to) return;
  for (int64_t i = 0; i < dy.size(); ++i) {
    float& g = to.t.data<float>()[i];
    g = (to.add ? g : 0.0f) + factor * dy.data<float>()[i];
  }
}

// y = factor x
Var scaled(const Var& x, float factor) {
  return record("scaled", times(x.t, factor), {x},
                [factor](Node& n) { give(n.grad_of(0), n.dy(), factor); });
}

// y = x x, whose backward reads x.
Var squared(const Var& x) {
  Tensor y = like(x.t);
  for (int64_t i = 0; i < y.size(); ++i) {
    y.data<float>()[i] = x.t.data<float>()[i] * x.t.data<float>()[i];
  }
  return record("squared", y, {x}, [saved = Saved(x)](Node& n) {
    const Tensor x_again = saved.get(), dy = n.dy();
    const Grad g = n.grad_of(0);
    for (int64_t i = 0; i < dy.size(); ++i) {
      const float d = 2 * x_again.data<float>()[i] * dy.data<float>()[i];
      g.t.data<float>()[i] = d + (g.add ? g.t.data<float>()[i] : 0.0f);
    }
  });
}

Var sum(const Var& a, const Var& b) {
  Tensor y = like(a.t);
  for (int64_t i = 0; i < y.size(); ++i) {
    y.data<float>()[i] = a.t.data<float>()[i] + b.t.data<float>()[i];
  }
  return record("sum", y, {a, b}, [](Node& n) {
    give(n.grad_of(0), n.dy(), 1);
    give(n.grad_of(1), n.dy(), 1);
  });
}

TEST(Autograd, ChainRule) {
  Slot x;
  backward(scaled(squared(scaled(Var(values({3}), &x), 2)), 5));  // 5 (2 x)^2
  EXPECT_EQ(to_host(x.grad), std::vector<float>{5 * 8 * 3});
}

TEST(Autograd, FirstWritesLaterAdd) {
  Slot x;
  x.grad = values({1000});  // what is there is overwritten, not added to
  const Var v(values({3}), &x);
  backward(sum(sum(scaled(v, 2), squared(v)), v));
  EXPECT_EQ(to_host(x.grad), std::vector<float>{2 + 6 + 1});
  backward(scaled(v, 10));  // a second loss adds to it
  EXPECT_EQ(to_host(x.grad), std::vector<float>{9 + 10});
  x.written = false;
  backward(scaled(v, 10));
  EXPECT_EQ(to_host(x.grad), std::vector<float>{10});
}

TEST(Autograd, SeedIsTheGradientOfTheLoss) {
  Slot x;
  backward(scaled(Var(values({1, 2}), &x), 3), values({10, 20}));
  EXPECT_EQ(to_host(x.grad), (std::vector<float>{30, 60}));
}

TEST(Autograd, ConstantsGetNothing) {
  Slot x;
  const Var y = sum(Var(values({1}), &x), Var(values({2})));
  EXPECT_TRUE(y.slot);
  backward(y);
  EXPECT_FALSE(sum(values({1}), values({2})).slot);
}

TEST(Autograd, BranchesThatLeadNowhereAreNotRun) {
  Slot x;
  const Var v(values({3}), &x);
  int runs = 0;
  record("unused", times(v.t, 1), {v}, [&](Node&) { ++runs; });
  backward(scaled(v, 2));
  EXPECT_EQ(runs, 0);
  EXPECT_EQ(to_host(x.grad), std::vector<float>{2});
}

TEST(Autograd, OutputsThatNobodyUsedHaveNoGradient) {
  Slot x;
  Var a(values({1})), b(values({2}));
  bool first = true, second = true;
  record("two", {&a, &b}, {Var(values({0}), &x)}, [&](Node& n) {
    first = static_cast<bool>(n.dy(0));
    second = static_cast<bool>(n.dy(1));
  });
  backward(scaled(b, 2));
  EXPECT_FALSE(first);
  EXPECT_TRUE(second);
}

TEST(Autograd, NoGradRecordsNothing) {
  Slot x;
  {
    NoGrad off;
    EXPECT_FALSE(scaled(Var(values({1}), &x), 2).slot);
    EXPECT_FALSE(Tape::current().recording());
  }
  EXPECT_TRUE(Tape::current().recording());
}

TEST(Autograd, RebuiltValuesAreMadeOnceAndNotKept) {
  Slot x;
  int made = 0;
  const Var v(values({3}), &x);
  const RebuildFrom any(0);
  const int64_t before = heap_bytes_alive();
  Var y = scaled(v, 2);
  rebuild_with(y, [t = v.t, &made] {
    ++made;
    return times(t, 2);
  });
  Var z = sum(squared(y), squared(y));
  y.t = Tensor();
  EXPECT_EQ(heap_bytes_alive(), before + 4);  // z alone
  backward(z);
  EXPECT_EQ(made, 1);
  EXPECT_EQ(to_host(x.grad), std::vector<float>{2 * (2 * 2 * 3) * 2});
}

TEST(Autograd, SmallValuesAreKept) {
  Slot x;
  int made = 0;
  const Var v(values({3}), &x);
  for (size_t from : {4, 5}) {  // y has 4 bytes
    const RebuildFrom size(from);
    made = 0;
    Var y = scaled(v, 2);
    rebuild_with(y, [t = v.t, &made] {
      ++made;
      return times(t, 2);
    });
    backward(squared(y));
    EXPECT_EQ(made, from == 4 ? 1 : 0);
  }
}

TEST(Autograd, RecomputeGivesTheSame) {
  Slot x, again;
  const Var v(values({3}), &x), w(values({3}), &again);
  backward(squared(scaled(v, 2)));
  backward(squared(recompute([](const Var& a) { return scaled(a, 2); }, w)));
  EXPECT_EQ(to_host(x.grad), to_host(again.grad));
}

// What a node kept is free as soon as backward has passed it.
TEST(Autograd, MemoryIsFreedOnTheWay) {
  Slot x;
  const Var v(values({1}), &x);
  const Tensor large = persistent({1 << 20}, DType::kF32, DeviceKind::kCpu, "large");
  int64_t alive = 0;
  Var first = record("first", times(v.t, 1), {v}, [&](Node& n) {
    alive = heap_bytes_alive();
    give(n.grad_of(0), n.dy(), 1);
  });
  Var second = record("second", times(v.t, 1), {first},
                      [big = times(large, 2)](Node& n) { give(n.grad_of(0), n.dy(), 1); });
  const int64_t before = heap_bytes_alive();
  backward(second);
  EXPECT_LT(alive, before - (4 << 20) + 64);  // small gradients have come
}

TEST(Autograd, BackwardInAnArenaLeavesNothingBehind) {
  Arena arena(DeviceKind::kCpu);
  Slot x;
  x.grad = values({0});
  for (int step = 0; step < 3; ++step) {
    ArenaScope scope(arena, 1);
    x.written = false;
    backward(squared(scaled(Var(values({3}), &x), 2)));
    EXPECT_EQ(to_host(x.grad), std::vector<float>{24});
  }
}

TEST(Autograd, ClearForgetsWhatWasRecorded) {
  Slot x;
  const Var y = scaled(Var(values({3}), &x), 2);
  Tape::current().clear();
  EXPECT_FALSE(x.written);
  backward(scaled(Var(values({3}), &x), 4));
  EXPECT_EQ(to_host(x.grad), std::vector<float>{4});
}

TEST(Autograd, AStepThatThrowsLeavesTapeAndArenaAsTheyWere) {
  Arena arena(DeviceKind::kCpu);
  Slot x;
  x.grad = values({0});
  for (const bool cut : {true, false, true, false}) {
    x.written = false;
    const auto step = [&] {
      ArenaScope scope(arena, 1);
      const TapeScope tape;
      Var y = scaled(Var(values({3}), &x), 2);
      if (cut) throw DataError("cut short");
      y = squared(y);
      backward(y);
    };
    if (cut) {
      EXPECT_THROW(step(), DataError);
    } else {
      step();
      EXPECT_EQ(to_host(x.grad), std::vector<float>{24});
    }
  }
}

TEST(Autograd, EachThreadHasATapeOfItsOwn) {
  Slot x;
  const Var kept = scaled(Var(values({3}), &x), 2);
  std::thread([] {
    Slot y;
    backward(squared(Var(values({3}), &y)));
    EXPECT_EQ(to_host(y.grad), std::vector<float>{6});
    scaled(Var(values({3}), &y), 2);  // left on the tape: goes with the thread
  }).join();
  backward(kept);
  EXPECT_EQ(to_host(x.grad), std::vector<float>{2});
}

TEST(Autograd, AnErrorInBackwardClearsTheTape) {
  Slot x;
  const Var v(values({3}), &x);
  const Var y = record("bad", times(v.t, 1), {v}, [](Node&) { throw DataError("bad"); });
  EXPECT_THROW(backward(y), DataError);
  backward(scaled(v, 4));
  EXPECT_EQ(to_host(x.grad), std::vector<float>{4});
}

TEST(Autograd, ManyNodesFillSeveralChunksOfTheTape) {
  Slot x;
  for (int round = 0; round < 2; ++round) {
    x.written = false;
    Var v(values({1}), &x);
    for (int i = 0; i < 5000; ++i) v = scaled(v, i % 2 ? 2 : 0.5f);
    backward(v);
    EXPECT_EQ(to_host(x.grad), std::vector<float>{1});
  }
}

TEST(Autograd, Errors) {
  test::expect_error<Error>("backward: nothing that led to this value wants a gradient",
                            [] { backward(Var(values({1}))); });
  Slot x;
  const Var y = scaled(Var(values({1, 2}), &x), 2);
  test::expect_error<ShapeError>(
      "backward: a value of shape [2] needs a seed; only one element does without",
      [&] { backward(y); });
  Tape::current().clear();
}

}  // namespace
}  // namespace keel
