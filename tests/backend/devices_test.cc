#include "backend/devices.h"

#include <gtest/gtest.h>

#include "core/device.h"
#include "core/device_memory.h"
#include "core/error.h"

namespace keel {
namespace {

std::string error_of(std::string_view name) {
  try {
    device_named(name);
  } catch (const DeviceError& e) {
    EXPECT_EQ(e.exit_code(), 1);
    return e.what();
  }
  return "";
}

TEST(Devices, Names) {
  EXPECT_EQ(device_named("cpu"), DeviceKind::kCpu);
  EXPECT_EQ(error_of("gpu"), "unknown device \"gpu\" (known: cpu cuda)");
  EXPECT_EQ(error_of(""), "unknown device \"\" (known: cpu cuda)");
}

TEST(Devices, CudaIsRefusedWithTheReason) {
  if (cuda_problem().empty()) GTEST_SKIP() << "this program can use a GPU: " << cuda_description();
  EXPECT_EQ(error_of("cuda"), "device \"cuda\": " + cuda_problem());
  if (kHasCuda) {
    EXPECT_EQ(cuda_problem().find("no GPU can be used: "), 0u) << cuda_problem();
  } else {
    EXPECT_EQ(cuda_problem(),
              "this program was built without CUDA; `make cuda` builds keel-cuda, which has it");
  }
}

TEST(Devices, TensorOnCudaIsRefusedWithoutOne) {
  if (kHasCuda) GTEST_SKIP() << "this program was built with CUDA";
  EXPECT_THROW(persistent({2}, DType::kF32, DeviceKind::kCuda, "a test"), DeviceError);
  const int64_t before = heap_bytes_alive();
  EXPECT_THROW(copy_to(from_host({1}, std::vector<float>{1.0f}), DeviceKind::kCuda), DeviceError);
  EXPECT_EQ(heap_bytes_alive(), before);
}

TEST(Devices, CopyOnTheCpuHasItsOwnMemory) {
  const Tensor x = from_host({3}, std::vector<float>{1, 2, 3});
  const Tensor y = copy_to(x, DeviceKind::kCpu);
  y.data<float>()[0] = 7;
  EXPECT_EQ(to_host(x), (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(to_host(y), (std::vector<float>{7, 2, 3}));
}

TEST(Devices, CopyWantsContiguousMemory) {
  const Tensor x = from_host({2, 2}, std::vector<float>{1, 2, 3, 4});
  try {
    copy_to(x.slice(1, 0, 1), DeviceKind::kCpu);
    FAIL();
  } catch (const ShapeError& e) {
    EXPECT_STREQ(e.what(), "copy_to: [2, 1] must be contiguous");
  }
}

}  // namespace
}  // namespace keel
