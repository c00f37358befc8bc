#include <array>

#include "core/error.h"
#include "cuda/cuda_test.h"
#include "ops/copy.h"
#include "ops/linear.h"
#include "ops/rms_norm.h"

namespace keel {
namespace {

using CudaOps = CudaTest;

// A value with memory for its gradient, on the CPU or on the GPU.
struct Leaf {
  Slot slot;
  Var var;

  Leaf(const Tensor& value, DeviceKind device) {
    slot.grad = persistent(value.shape(), value.dtype(), device, "a gradient");
    slot.parameter = true;
    var = Var(copy_to(value, device), &slot);
  }
};

TEST_F(CudaOps, RmsNormWithGradients) {
  for (const Shape& shape : {Shape{1, 1}, Shape{3, 7}, Shape{130, 64}, Shape{2, 5, 1000}}) {
    for (DType out : {DType::kF32, DType::kBf16}) {
      const Tensor x = values(shape), gain = values({shape.dim(-1)}),
                   bias = values({shape.dim(-1)});
      const Tensor dy = values(shape, out);
      std::array<Tensor, 4> of_cpu, of_gpu;
      for (DeviceKind device : {DeviceKind::kCpu, DeviceKind::kCuda}) {
        Leaf a(x, device), g(gain, device), b(bias, device);
        const Var y = rms_norm(a.var, g.var, b.var, 1e-6f, out);
        auto& results = device == DeviceKind::kCpu ? of_cpu : of_gpu;
        results[0] = copy_to(y.t, device);
        backward(y, copy_to(dy, device));
        results[1] = a.slot.grad;
        results[2] = g.slot.grad;
        results[3] = b.slot.grad;
      }
      for (int i = 0; i < 4; ++i) {
        expect_close(of_gpu[i], of_cpu[i], shape.str() + " result " + std::to_string(i));
      }
    }
  }
}

TEST_F(CudaOps, AddRmsNormWithGradients) {
  const Shape shape{65, 129};
  const Tensor x = values(shape), branch = values(shape), gain = values({129}), dy = values(shape);
  std::array<Tensor, 5> of_cpu, of_gpu;
  for (DeviceKind device : {DeviceKind::kCpu, DeviceKind::kCuda}) {
    Leaf a(x, device), b(branch, device), g(gain, device);
    const AddNorm both = add_rms_norm(a.var, b.var, g.var, Var(), 1e-6f, DType::kF32);
    const Tensor sum = copy_to(both.sum.t, device), y = copy_to(both.y.t, device);
    backward(both.y, copy_to(dy, device));
    (device == DeviceKind::kCpu ? of_cpu : of_gpu) = {sum, y, a.slot.grad, b.slot.grad,
                                                      g.slot.grad};
  }
  for (int i = 0; i < 5; ++i) expect_close(of_gpu[i], of_cpu[i], "result " + std::to_string(i));
}

// Only the sum is used: its gradient is copied to both inputs.
TEST_F(CudaOps, AddRmsNormWithoutTheNorm) {
  const Tensor x = values({5, 3, 17}), dy = values({5, 3, 17});
  Leaf a(x, DeviceKind::kCuda), b(x, DeviceKind::kCuda);
  backward(add_rms_norm(a.var, b.var, Var(), Var(), 1e-6f, DType::kF32).sum, on_gpu(dy));
  expect_close(a.slot.grad, dy, "x");
  expect_close(b.slot.grad, dy, "branch");
}

TEST_F(CudaOps, CopyAndFillReachRowsThatLieApart) {
  for (DType type : {DType::kF32, DType::kBf16}) {
    const Tensor from = values({4, 6, 40}), to = values({4, 6, 40}, type);
    const Tensor from_gpu = on_gpu(from), to_gpu = on_gpu(to);
    const auto both = [](auto& dev, const Tensor& f, const Tensor& t) {
      kernel::copy(dev,
                   {f.slice(2, 3, 20).slice(1, 1, 4), {t.slice(2, 8, 25).slice(1, 2, 5), true}});
      kernel::fill(dev, {t.slice(2, 30, 33), 2.5f});
    };
    both(cpu(), from, to);
    both(cuda(), from_gpu, to_gpu);
    expect_close(to_gpu, to, std::string(name_of(type)));
  }
}

TEST_F(CudaOps, LinearWithGradients) {
  const Tensor x = values({300, 33}), w = values({70, 33}), bias = values({70});
  const Tensor dy = values({300, 70});
  std::array<Tensor, 4> of_cpu, of_gpu;
  for (DeviceKind device : {DeviceKind::kCpu, DeviceKind::kCuda}) {
    Leaf a(x, device), b(w, device), c(bias, device);
    const Var y = linear(a.var, b.var, c.var);
    const Tensor value = copy_to(y.t, device);
    backward(y, copy_to(dy, device));
    (device == DeviceKind::kCpu ? of_cpu : of_gpu) = {value, a.slot.grad, b.slot.grad, c.slot.grad};
  }
  for (int i = 0; i < 4; ++i) expect_close(of_gpu[i], of_cpu[i], "result " + std::to_string(i));
}

TEST_F(CudaOps, SameBitsEachTime) {
  const Tensor x = on_gpu(values({513, 384})), w = on_gpu(values({96, 384}));
  const auto once = [&] {
    return to_host(copy_to(linear(Var(x), Var(w), Var()).t, DeviceKind::kCpu));
  };
  EXPECT_EQ(once(), once());
}

void only_on_the_cpu(Cpu&, int) {}
[[maybe_unused]] void on_both(Cpu&, int) { FAIL() << "the overload for Cuda was not chosen"; }
void on_both(Cuda&, int) {}

// Needs no GPU: what an op without an overload for Cuda comes to.
TEST(CudaOverloads, OneThatIsMissingIsAClearError) {
  Cuda dev{.op_file = "/somewhere/src/ops/embedding.cc"};
  on_both(dev, 1);
  try {
    only_on_the_cpu(dev, 1);
    FAIL() << "nothing was thrown";
  } catch (const DeviceError& e) {
    EXPECT_STREQ(e.what(),
                 "embedding has no CUDA kernel yet (those that have one: linear, rms_norm); use "
                 "device \"cpu\"");
  }
}

}  // namespace
}  // namespace keel
