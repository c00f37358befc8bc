// Sums of squares against plain loops, and the same bits on any number of threads.
#include "ops/square_sums.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/parallel.h"
#include "harness/check_op.h"

namespace keel::test {
namespace {

double rms_of(const Tensor& x) {
  double sum = 0;
  for (const float v : to_host(x)) sum += static_cast<double>(v) * static_cast<double>(v);
  return std::sqrt(sum / static_cast<double>(x.size()));
}

struct Sums {
  double before = 0, change = 0;
  bool operator==(const Sums&) const = default;
};
Sums change(const Tensor& before, const Tensor& after) {
  Sums s;
  on_device(before, [&](auto& dev) {
    kernel::change_sums(dev, {before, after, &s.before, &s.change});
  });
  return s;
}

// Below and above a vector, a part and the number of parts.
constexpr int64_t kSizes[] = {1, 7, 31, 32, 33, 8191, 8193, 70'001, 64 * 8192 + 1, 600'011};

TEST(SquareSums, AreThoseOfAPlainLoop) {
  for (const int64_t size : kSizes) {
    for (const double scale : {1e-20, 1.0, 1e20}) {
      const Tensor x = normal_tensor({size}, 1, scale), y = normal_tensor({size}, 2, scale);
      EXPECT_NEAR(root_mean_square(x), rms_of(x), 1e-12 * rms_of(x)) << size;
      const std::vector<float> a = to_host(x), b = to_host(y);
      Sums want;
      for (size_t i = 0; i < a.size(); ++i) {
        const double d = static_cast<double>(b[i]) - static_cast<double>(a[i]);
        want.before += static_cast<double>(a[i]) * static_cast<double>(a[i]);
        want.change += d * d;
      }
      const Sums got = change(x, y);
      EXPECT_NEAR(got.before, want.before, 1e-12 * want.before) << size;
      EXPECT_NEAR(got.change, want.change, 1e-12 * want.change) << size;
    }
    const Tensor half = from_host({size}, to_host(normal_tensor({size}, 3)), DType::kBf16);
    EXPECT_NEAR(root_mean_square(half), rms_of(half), 1e-12 * rms_of(half)) << size;
  }
}

TEST(SquareSums, OfNothingAndOfWhatIsNotFinite) {
  EXPECT_EQ(root_mean_square(empty({0})), 0.0);
  EXPECT_EQ(root_mean_square(Tensor(empty({3}, DType::kF32, DeviceKind::kMeta))), 0.0);
  for (const int64_t at : {int64_t{0}, int64_t{40}, int64_t{9000}}) {
    const Tensor x = normal_tensor({9001}, 1);
    x.data<float>()[at] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_TRUE(std::isnan(root_mean_square(x))) << at;
    x.data<float>()[at] = std::numeric_limits<float>::infinity();
    EXPECT_TRUE(std::isinf(root_mean_square(x))) << at;
  }
}

TEST(SquareSums, SameBitsOnAnyNumberOfThreads) {
  const int before = num_threads();
  for (const int64_t size : kSizes) {
    const Tensor x = normal_tensor({size}, 1), y = normal_tensor({size}, 2);
    set_num_threads(1);
    const double rms = root_mean_square(x);
    const Sums sums = change(x, y);
    for (const int threads : {2, 3, 8}) {
      set_num_threads(threads);
      EXPECT_EQ(root_mean_square(x), rms) << size;
      EXPECT_EQ(change(x, y), sums) << size;
    }
  }
  set_num_threads(before);
}

}  // namespace
}  // namespace keel::test
