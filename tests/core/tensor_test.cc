#include "core/tensor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <utility>

#include "core/error.h"
#include "harness/expect_error.h"

namespace keel {
namespace {

using test::expect_error;

Tensor counting(const Shape& shape) {
  std::vector<float> v(shape.size());
  for (size_t i = 0; i < v.size(); ++i) v[i] = static_cast<float>(i);
  return from_host(shape, v);
}

TEST(Shape, SizesAndRows) {
  const Shape s{2, 3, 4};
  EXPECT_EQ(s.size(), 24);
  EXPECT_EQ(s.rows(), 6);
  EXPECT_EQ(s.dim(-1), 4);
  EXPECT_EQ(s.str(), "[2, 3, 4]");
  EXPECT_EQ(Shape{7}.rows(), 1);
  EXPECT_EQ((Shape{0, 8}).rows(), 0);
  expect_error<ShapeError>("an axis of -1 elements: must be at least 0", [] { Shape{2, -1}; });
  expect_error<ShapeError>("a tensor has at most 5 axes, not 6", [] { Shape{1, 1, 1, 1, 1, 1}; });
}

TEST(Tensor, AbsentIsNotEmpty) {
  EXPECT_FALSE(Tensor());
  EXPECT_EQ(Tensor().raw(), nullptr);
  const Tensor none = from_host({0, 3}, std::vector<float>{});
  EXPECT_TRUE(none);
  EXPECT_EQ(none.size(), 0);
}

TEST(Tensor, CopiesShareMemory) {
  const int64_t before = heap_bytes_alive();
  {
    Tensor a = counting({2, 3});
    Tensor b = a;
    b.data<float>()[0] = 9;
    EXPECT_EQ(a.data<float>()[0], 9);
    Tensor c = std::move(b);
    EXPECT_EQ(c.raw(), a.raw());
    a = Tensor();
    EXPECT_EQ(c.data<float>()[5], 5);
    c = *&c;
    EXPECT_EQ(heap_bytes_alive(), before + 24);
  }
  EXPECT_EQ(heap_bytes_alive(), before);
}

TEST(Tensor, ViewsAndSlices) {
  const Tensor x = counting({2, 3, 4});
  EXPECT_EQ(x.view({6, 4}).raw(), x.raw());
  const Tensor s = x.slice(1, 1, 3);
  EXPECT_EQ(s.shape(), (Shape{2, 2, 4}));
  EXPECT_FALSE(s.contiguous());
  EXPECT_EQ(to_host(s)[0], 4);
  EXPECT_EQ(to_host(s)[8], 16);
  EXPECT_TRUE(x.slice(0, 1, 2).contiguous());
  const Tensor t = x.view({6, 4}).strided({4, 6}, {1, 4});
  EXPECT_EQ(to_host(t)[1], 4);  // transposed
  EXPECT_EQ(to_host(x.strided({2}, {12}, 3)), (std::vector<float>{3, 15}));
}

TEST(Tensor, ViewsThatDoNotFit) {
  const Tensor x = counting({2, 3});
  expect_error<ShapeError>("view: [2, 3] of contiguous elements cannot be read as [7]",
                           [&] { x.view({7}); });
  expect_error<ShapeError>("strided: 1 strides for [2, 3]", [&] { x.strided({2, 3}, {1}); });
  expect_error<ShapeError>("from_host: 2 values for [3]",
                           [] { from_host({3}, std::vector<float>(2)); });
  EXPECT_THROW(x.slice(1, 0, 2).view({4}), ShapeError);
  EXPECT_THROW(x.slice(1, 2, 4), ShapeError);
  EXPECT_THROW(x.slice(2, 0, 1), ShapeError);
}

TEST(Tensor, PersistentIsZeroed) {
  for (int64_t n : {1, 5, 70000}) {
    const Tensor x = persistent({n}, DType::kF32, DeviceKind::kCpu, "weights");
    for (float v : to_host(x)) ASSERT_EQ(v, 0);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(x.raw()) % 64, 0u);
  }
}

TEST(Tensor, MetaHasNoMemory) {
  const Tensor x = persistent({int64_t{1} << 40}, DType::kF32, DeviceKind::kMeta, "weights");
  EXPECT_TRUE(x);
  EXPECT_EQ(x.raw(), nullptr);
  EXPECT_EQ(x.bytes(), size_t{1} << 42);
}

TEST(Tensor, TooLargeNamesWhatAndHowMuch) {
  expect_error<MemoryError>(
      "not enough memory for weights: [1152921504606846976] is more than any machine has",
      [] { persistent({int64_t{1} << 60}, DType::kF32, DeviceKind::kCpu, "weights"); });
}

TEST(Tensor, Bf16RoundsToNearestEven) {
  EXPECT_EQ(static_cast<float>(bf16(1.0f)), 1.0f);
  EXPECT_EQ(static_cast<float>(bf16(1.00390625f)), 1.0f);        // halfway, to even
  EXPECT_EQ(static_cast<float>(bf16(1.01171875f)), 1.015625f);   // halfway, to even
  EXPECT_EQ(static_cast<float>(bf16(1.00390637f)), 1.0078125f);  // just above halfway
  EXPECT_TRUE(std::isinf(static_cast<float>(bf16(3.4e38f))));
  EXPECT_TRUE(std::isnan(static_cast<float>(bf16(std::numeric_limits<float>::quiet_NaN()))));
  EXPECT_EQ(to_host(from_host({2}, std::vector<float>{1, 2}, DType::kBf16)),
            (std::vector<float>{1, 2}));
}

TEST(Tensor, SizesBeyondAnyMemoryAreRefused) {
  const int64_t n = int64_t{1} << 24;
  test::expect_error<MemoryError>(
      "not enough memory for a tensor: [16777216, 16777216] is more than any machine has", [&] {
        empty({n, n}, DType::kF32, DeviceKind::kMeta);
      });
  EXPECT_THROW(persistent({n, n, n}, DType::kF32, DeviceKind::kMeta, "x"), MemoryError);
  EXPECT_EQ(empty({n, n, 0}).size(), 0);
}

}  // namespace
}  // namespace keel
