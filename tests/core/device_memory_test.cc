#include "core/device_memory.h"

#include <gtest/gtest.h>

#include <numeric>

#include "core/error.h"
#include "core/step_memory.h"
#include "harness/expect_error.h"

namespace keel::test {
namespace {

TEST(DeviceMemory, WriteThenRead) {
  const Tensor t = empty({2, 3});
  std::vector<float> in(6), out(6);
  std::iota(in.begin(), in.end(), 1.0f);
  write(t, in.data());
  EXPECT_EQ(to_host(t), in);
  read(t, out.data());
  EXPECT_EQ(out, in);
  std::vector<float> buffer;
  EXPECT_EQ(host_values(t, buffer).data(), t.data<float>());  // no copy on the host
  EXPECT_TRUE(buffer.empty());
}

TEST(DeviceMemory, NothingHappensOnMeta) {
  const Tensor t = empty({4}, DType::kF32, DeviceKind::kMeta);
  write(t, nullptr);
  read(t, nullptr);
  std::vector<float> buffer;
  EXPECT_EQ(host_values(t, buffer).size(), 4u);
}

TEST(DeviceMemory, RowsThatLieApart) {
  const Tensor t = empty({4, 6}).slice(1, 0, 3);
  float x[12];
  expect_error<ShapeError>("write: [4, 3] must be contiguous", [&] { write(t, x); });
  expect_error<ShapeError>("read: [4, 3] must be contiguous", [&] { read(t, x); });
}

TEST(DeviceMemory, MovedToWhereItIs) {
  const Tensor t = empty({3});
  EXPECT_EQ(moved_to(t, DeviceKind::kCpu).raw(), t.raw());
}

TEST(StepMemory, OnTheCpuKernelsReadTheHostsOwn) {
  StepState state;
  const StepMemory memory(state, DeviceKind::kCpu);
  EXPECT_EQ(memory.pointer(), &state);
  memory.push();
  memory.pull();
}

}  // namespace
}  // namespace keel::test
