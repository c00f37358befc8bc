// A test that needs a GPU: skips with the reason where there is none, and moves tensors there and
// back. The CPU op is the reference.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "backend/devices.h"
#include "core/device_memory.h"
#include "core/tensor.h"

namespace keel {

class CudaTest : public testing::Test {
 protected:
  void SetUp() override {
    const std::string problem = cuda_problem();
    if (!problem.empty()) GTEST_SKIP() << problem;
    device_named("cuda");
  }

  // Values of a fixed sequence in [-scale, scale].
  Tensor values(const Shape& shape, DType dtype = DType::kF32, float scale = 1.0f) {
    std::vector<float> v(static_cast<size_t>(shape.size()));
    for (float& x : v) {
      state_ = state_ * 6364136223846793005ull + 1442695040888963407ull;
      x = scale * (static_cast<float>(state_ >> 40) / 8388608.0f - 1.0f);
    }
    return from_host(shape, v, dtype);
  }

  static Tensor on_gpu(const Tensor& x) { return x ? copy_to(x, DeviceKind::kCuda) : Tensor(); }

  // ||gpu - cpu|| <= bound * ||cpu||, f32 1e-5 and bf16 1e-2 for results of one rounding.
  static void expect_close(const Tensor& gpu, const Tensor& cpu, const std::string& what) {
    const double bound = cpu.dtype() == DType::kBf16 ? 1e-2 : 1e-5;
    const std::vector<float> a = to_host(copy_to(gpu, DeviceKind::kCpu)), b = to_host(cpu);
    ASSERT_EQ(a.size(), b.size()) << what;
    double difference = 0, norm = 0;
    for (size_t i = 0; i < a.size(); ++i) {
      difference += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
      norm += double{b[i]} * b[i];
    }
    EXPECT_LE(std::sqrt(difference), bound * std::sqrt(norm)) << what;
  }

 private:
  uint64_t state_ = 1;
};

}  // namespace keel
