// What the trainer needs of a device's memory beside kernels: first values, batches, the step's
// state, gradients that nothing wrote.
#include "core/step_memory.h"
#include "cuda/cuda_test.h"
#include "nn/parameters.h"
#include "ops/copy.h"

namespace keel {
namespace {

using CudaMemory = CudaTest;

TEST_F(CudaMemory, WriteAndRead) {
  const std::vector<float> in{1, 2, 3, 4, 5, 6};
  const Tensor t = empty({2, 3}, DType::kF32, DeviceKind::kCuda);
  write(t, in.data());
  std::vector<float> out(6), buffer;
  read(t, out.data());
  EXPECT_EQ(out, in);
  const std::span<const float> seen = host_values(t, buffer);
  EXPECT_EQ(std::vector<float>(seen.begin(), seen.end()), in);
  EXPECT_EQ(to_host(moved_to(t, DeviceKind::kCpu)), in);
}

TEST_F(CudaMemory, StateOfTheStep) {
  StepState host;
  host.rate = 0.5f;
  host.first_row = 7;
  const StepMemory memory(host, DeviceKind::kCuda);
  EXPECT_NE(memory.pointer(), &host);
  memory.push();
  host = {};
  memory.pull();
  EXPECT_EQ(host.rate, 0.5f);
  EXPECT_EQ(host.first_row, 7);
}

// The same first values, working copies and empty gradients as on the CPU, to the bit.
TEST_F(CudaMemory, ParametersStartAsOnTheCpu) {
  class Constant final : public Init {
    Start start(Role role, const Shape&) const override {
      if (role == Role::kGain) return {Start::Kind::kConstant, 1.5};
      return {Start::Kind::kNormal, 0.02};
    }
  };
  std::vector<std::vector<float>> seen;
  for (DeviceKind device : {DeviceKind::kCpu, DeviceKind::kCuda}) {
    Parameters p(device, DType::kBf16);
    p.add("w", {33, 70}, Role::kLinear);
    p.add("gain", {70}, Role::kGain);
    p.allocate();
    p.fill(Constant(), 3);
    p.begin_gradients();
    p.finish_gradients();
    for (const Parameter& x : p.list()) {
      seen.push_back(to_host(moved_to(x.weight, DeviceKind::kCpu)));
      seen.push_back(to_host(moved_to(x.grad, DeviceKind::kCpu)));
      if (x.copy) seen.push_back(to_host(moved_to(x.copy, DeviceKind::kCpu)));
    }
  }
  ASSERT_EQ(seen.size(), 10u);
  for (size_t i = 0; i < 5; ++i) EXPECT_EQ(seen[i], seen[i + 5]) << i;
}

TEST_F(CudaMemory, BackwardOfOneValueNeedsNoSeed) {
  Slot slot;
  slot.grad = persistent({1}, DType::kF32, DeviceKind::kCuda, "a gradient");
  slot.parameter = true;
  const Var x(on_gpu(values({1})), &slot);
  Var y = record("same", x.t, {x}, [](Node& n) {
    const Grad g = n.grad_of(0);
    on_device(g.t, [&](auto& dev) { kernel::copy(dev, {n.dy(), g}); });
  });
  backward(y);
  EXPECT_EQ(to_host(moved_to(slot.grad, DeviceKind::kCpu)), std::vector<float>{1});
}

}  // namespace
}  // namespace keel
