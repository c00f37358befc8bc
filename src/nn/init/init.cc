#include "nn/init/init.h"

#include <algorithm>
#include <cmath>

#include "core/device_memory.h"
#include "core/parallel.h"
#include "core/philox.h"
#include "nn/init/gpt2.h"
#include "nn/init/mup.h"
#include "nn/init/small.h"
#include "nn/init/standard.h"
#include "nn/init/xavier.h"

namespace keel {
namespace {

// Box and Muller (1958): two uniforms make two normals.
void normals(std::array<uint32_t, 4> bits, double deviation, float* out, int n) {
  float z[4];
  for (int i = 0; i < 4; i += 2) {
    const double r = std::sqrt(-2.0 * std::log(static_cast<double>(uniform_open(bits[i]))));
    const double angle = 2.0 * M_PI * static_cast<double>(uniform_open(bits[i + 1]));
    z[i] = static_cast<float>(deviation * r * std::cos(angle));
    z[i + 1] = static_cast<float>(deviation * r * std::sin(angle));
  }
  for (int i = 0; i < n; ++i) out[i] = z[i];
}

// Between -half and half, both excluded.
void uniforms(std::array<uint32_t, 4> bits, double half, float* out, int n) {
  for (int i = 0; i < n; ++i) {
    const double u = static_cast<double>(uniform_open(bits[static_cast<size_t>(i)]));
    out[i] = static_cast<float>(half * (2.0 * u - 1.0));
  }
}

void fill_host(const Start& start, uint64_t seed, const std::string& name, float* w, int64_t size) {
  if (start.kind == Start::Kind::kConstant) {
    std::fill_n(w, size, static_cast<float>(start.value));
    return;
  }
  const auto key = philox_key(seed, stream_of(name), 0);
  const auto numbers = start.kind == Start::Kind::kNormal ? normals : uniforms;
  parallel_ranges(size, 1 << 14, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += 4) {
      const auto bits = philox_block(key, 0, static_cast<uint64_t>(i / 4));
      numbers(bits, start.value, w + i, static_cast<int>(std::min<int64_t>(4, end - i)));
    }
  });
}

}  // namespace

Start start_of(Role role, const Start& matrix) {
  if (role == Role::kGain) return {Start::Kind::kConstant, 1.0};
  if (role == Role::kBias) return {Start::Kind::kConstant, 0.0};
  return matrix;
}

// THE list of initialisations.
const Registry<Init, const InitArgs&>& inits() {
  using R = Registry<Init, const InitArgs&>;
  static const R r{
      "initialisation",
      {R::entry<Gpt2Init>("gpt2",
                          "normal; outputs to the residual stream divided by sqrt(2 layers)"),
       R::entry<StandardInit>("standard", "normal, the same for every matrix"),
       R::entry<SmallInit>("small", "normal of deviation sqrt(2 / (5 dim)), outputs as gpt2"),
       R::entry<XavierInit>("xavier", "by fan-in and fan-out (Glorot and Bengio, 2010)"),
       R::entry<MupInit>("mup", "maximal update parametrisation (arXiv 2203.03466)")}};
  return r;
}

void fill_start(const Start& start, uint64_t seed, const std::string& name, const Tensor& weight) {
  if (weight.device() == DeviceKind::kMeta) return;
  const bool here = weight.device() == DeviceKind::kCpu;
  const Tensor host =
      here ? weight : persistent(weight.shape(), DType::kF32, DeviceKind::kCpu, "first values");
  fill_host(start, seed, name, host.data<float>(), host.size());
  if (!here) write(weight, host.raw());
}

}  // namespace keel
