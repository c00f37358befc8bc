#include "harness/check_op.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numbers>

#include "core/arena.h"
#include "core/parallel.h"
#include "core/philox.h"
#include "ops/copy.h"

namespace keel::test {
namespace {

constexpr double kStep = 1e-100;    // complex step: no subtraction, so no lower limit
constexpr double kRounding = 1e-6;  // of the sum of the terms' absolute values
constexpr double kKinkMargin = 0.05;

using Arrays = std::vector<Array>;
using Tensors = std::vector<Tensor>;

double norm(const std::vector<double>& v) {
  double s = 0;
  for (double x : v) s += x * x;
  return std::sqrt(s);
}

std::vector<double> difference(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> d(a.size());
  for (size_t i = 0; i < a.size(); ++i) d[i] = a[i] - b[i];
  return d;
}

std::vector<double> real(const Array& a) {
  std::vector<double> r;
  for (Complex c : a.v) r.push_back(c.real());
  return r;
}

std::vector<double> doubles(const Tensor& t) {
  const std::vector<float> f = to_host(t);
  return {f.begin(), f.end()};
}

Array to_array(const Tensor& t) {
  Array a(t.shape());
  const std::vector<float> f = to_host(t);
  std::copy(f.begin(), f.end(), a.v.begin());
  return a;
}

// One node reads all outputs and hands each its gradient, so that backward starts in one place.
template <class F>
void record_give(Var& total, const std::vector<Var>& y, F&& give) {
  switch (y.size()) {
    case 1:
      record("give", {&total}, {y[0]}, give);
      break;
    case 2:
      record("give", {&total}, {y[0], y[1]}, give);
      break;
    default:
      record("give", {&total}, {y[0], y[1], y[2]}, give);
      break;
  }
}

// What one call gave: values of the outputs, gradients of the inputs.
struct Outcome {
  Tensors y, grad;
  bool rebuilt = true;  // every value asked for again in backward had the same bits
};

// One combination of scale, mean and dtype.
class Case {
 public:
  Case(const OpCheck& check, double scale, double mean, DType dtype,
       std::vector<std::string>& failures)
      : check_(check), scale_(scale), mean_(mean), dtype_(dtype), failures_(failures) {
    for (size_t i = 0; i < check.in.size(); ++i) x_.push_back(make_input(i));
    for (const Tensor& x : x_) ref_x_.push_back(to_array(x));
    ref_y_ = check.ref(ref_x_).v;
  }

  void run();

 private:
  Tensor make_input(size_t i) const;
  Outcome call(const Tensors& x, const std::vector<bool>& wants, int backwards = 1, int same = -1,
               int same_as = -1) const;
  Tensors values(const Tensors& x) const;
  double loss(const Tensors& y) const;
  std::vector<bool> all() const { return std::vector<bool>(x_.size(), true); }
  std::vector<int64_t> sample(size_t input) const;
  void partials(Arrays x, size_t input, const std::vector<int64_t>& which,
                std::vector<double>& exact, std::vector<double>& absolute) const;
  Arrays nudged() const;
  bool in_f32() const { return dtype_ == DType::kF32; }
  double bound() const { return in_f32() ? check_.bound : check_.bf16_bound; }
  bool has_difference() const;

  void check_values(const Outcome& o);
  void check_gradient(const Outcome& o, size_t i);
  void check_difference(const Outcome& o, size_t i, double floor);
  void check_accumulation(const Outcome& o);
  void check_same_input_twice(const Outcome& o);
  void check_wants(const Outcome& o);
  void check_threads(const Outcome& o);
  void check_arena(const Outcome& o);
  void lay_out(DeviceKind device) const;
  void check_meta();
  void fail(const std::string& what) {
    std::string shapes;
    for (const OpInput& in : check_.in) shapes += fmt::format(" {}{}", in.name, in.shape.str());
    failures_.push_back(fmt::format("{} (scale {:g}, mean {:g}, {},{})", what, scale_, mean_,
                                    name_of(dtype_), shapes));
  }

  const OpCheck& check_;
  double scale_, mean_;
  DType dtype_;
  std::vector<std::string>& failures_;
  Tensors x_;
  Arrays ref_x_, ref_y_;
  Tensors dy_;
};

Tensor Case::make_input(size_t i) const {
  const OpInput& in = check_.in[i];
  const bool data = in.role == kData || in.role == kStream;
  const DType type = in.role == kData || in.role == kWeight ? dtype_ : DType::kF32;
  std::vector<float> v =
      normal_values(in.shape.size(), 100 + i, data ? scale_ : 0.5, data ? mean_ : in.center);
  if (check_.kinked && data) {
    for (float& f : v) f += std::copysign(static_cast<float>(kKinkMargin * scale_), f);
  }
  return from_host(in.shape, v, type);
}

Outcome Case::call(const Tensors& x, const std::vector<bool>& wants, int backwards, int same,
                   int same_as) const {
  const size_t n = x.size();
  std::vector<Slot> slots(n);
  Outcome out;
  for (size_t i = 0; i < n; ++i) {
    const DType type = check_.in[i].role == kWeight ? DType::kF32 : x[i].dtype();
    const float nan = std::numeric_limits<float>::quiet_NaN();
    slots[i].grad = from_host(x[i].shape(), std::vector<float>(x[i].size(), nan), type);
    slots[i].parameter = true;
  }
  for (int pass = 0; pass < backwards; ++pass) {
    std::vector<Var> in;
    for (size_t i = 0; i < n; ++i) in.emplace_back(x[i], wants[i] ? &slots[i] : nullptr);
    if (same >= 0) in[same] = in[same_as];
    std::vector<Var> y = check_.op(in).v;
    out.y.clear();
    for (const Var& v : y) out.y.push_back(from_host(v.shape(), to_host(v.t), v.t.dtype()));
    if (std::none_of(y.begin(), y.end(), [](const Var& v) { return v.slot; })) break;
    Var total(from_host({1}, std::vector<float>{0}));
    std::vector<Saved> saved(y.begin(), y.end());
    auto give = [&, saved](Node& node) {
      for (size_t k = 0; k < y.size(); ++k) {
        if (!node.wants(static_cast<int>(k))) continue;
        out.rebuilt &= same_bits(saved[k].get(), out.y[k]);
        kernel::copy(cpu(), {dy_[k], node.grad_of(static_cast<int>(k))});
      }
    };
    record_give(total, y, give);
    // The values of the outputs may be forgotten from here on, as in a model.
    for (Var& v : y) v.t = Tensor();
    backward(total);
  }
  for (size_t i = 0; i < n; ++i) out.grad.push_back(slots[i].written ? slots[i].grad : Tensor());
  return out;
}

Tensors Case::values(const Tensors& x) const {
  NoGrad off;
  std::vector<Var> in(x.begin(), x.end());
  Tensors y;
  for (const Var& v : check_.op(in).v) y.push_back(v.t);
  return y;
}

double Case::loss(const Tensors& y) const {
  double s = 0;
  for (size_t k = 0; k < y.size(); ++k) {
    const std::vector<double> v = doubles(y[k]), d = doubles(dy_[k]);
    for (size_t e = 0; e < v.size(); ++e) s += v[e] * d[e];
  }
  return s;
}

// Inputs moved by up to half a unit of their last f32 bit: what no f32 code can be blamed for.
Arrays Case::nudged() const {
  Arrays x = ref_x_;
  for (size_t i = 0; i < x.size(); ++i) {
    const std::vector<float> r = normal_values(x[i].shape.size(), 900 + i);
    for (size_t e = 0; e < x[i].v.size(); ++e) {
      x[i].v[e] *= 1 + 0x1p-24 * std::clamp<double>(r[e], -1, 1);
    }
  }
  return x;
}

std::vector<int64_t> Case::sample(size_t input) const {
  const int64_t n = x_[input].size();
  int64_t work = 1;
  for (const Array& y : ref_y_) work += y.shape.size();
  const int64_t count = std::min(n, std::clamp<int64_t>(60000 / work, 5, 60));
  std::vector<int64_t> which;
  for (int64_t k = 0; k < count; ++k) {
    which.push_back(count == n ? k : static_cast<int64_t>(mix64(input * 977 + k) % n));
  }
  return which;
}

// d loss / d x[e] for each e of `which`, and the sum of the absolute values of its terms.
void Case::partials(Arrays x, size_t input, const std::vector<int64_t>& which,
                    std::vector<double>& exact, std::vector<double>& absolute) const {
  std::vector<std::vector<double>> dy;
  for (const Tensor& d : dy_) dy.push_back(doubles(d));
  for (int64_t e : which) {
    const Complex original = x[input][e];
    x[input][e] += Complex(0, kStep);
    const Arrays y = check_.ref(x).v;
    x[input][e] = original;
    double sum = 0, terms = 0;
    for (size_t k = 0; k < y.size(); ++k) {
      for (size_t j = 0; j < y[k].v.size(); ++j) {
        const double term = dy[k][j] * y[k].v[j].imag() / kStep;
        sum += term;
        terms += std::abs(term);
      }
    }
    exact.push_back(sum);
    absolute.push_back(terms);
  }
}

bool Case::has_difference() const {
  const auto& s = check_.difference_scales;
  return in_f32() && mean_ == 0 && std::find(s.begin(), s.end(), scale_) != s.end();
}

void Case::check_values(const Outcome& o) {
  const Arrays other = check_.ref(nudged()).v;
  for (size_t k = 0; k < ref_y_.size(); ++k) {
    if (o.y[k].shape() != ref_y_[k].shape) {
      fail(fmt::format("output {} is {}, the reference {}", k, o.y[k].shape().str(),
                       ref_y_[k].shape.str()));
      continue;
    }
    const std::vector<double> want = real(ref_y_[k]);
    const double error = norm(difference(doubles(o.y[k]), want));
    const double allowed =
        (o.y[k].dtype() == DType::kBf16 ? check_.bf16_bound : bound()) * norm(want) +
        4 * norm(difference(real(other[k]), want));
    if (!(error <= allowed)) {
      fail(fmt::format("values of output {}: error {:.2e}, allowed {:.2e}", k, error, allowed));
    }
  }
}

void Case::check_gradient(const Outcome& o, size_t i) {
  const std::string& name = check_.in[i].name;
  if (!o.grad[i]) return fail("no gradient for " + name);
  const std::vector<double> all_g = doubles(o.grad[i]);
  if (!std::all_of(all_g.begin(), all_g.end(), [](double g) { return std::isfinite(g); })) {
    return fail("gradient of " + name + " is not finite or was not written");
  }
  const std::vector<int64_t> which = sample(i);
  std::vector<double> exact, absolute, moved, unused, g;
  partials(ref_x_, i, which, exact, absolute);
  partials(nudged(), i, which, moved, unused);
  for (int64_t e : which) g.push_back(all_g[e]);
  // A derivative is about dy y / x: below a fraction of that its digits are those of a difference.
  double ratio = 0;
  for (size_t k = 0; k < ref_y_.size(); ++k) ratio += norm(doubles(dy_[k])) * norm(real(ref_y_[k]));
  const double size = std::max<double>(1, norm(real(ref_x_[i])));
  for (double& a : absolute) a = std::max(a, ratio / size / std::max<size_t>(1, all_g.size()));
  const double error = norm(difference(g, exact)), rounding = in_f32() ? kRounding : 1e-3;
  const double allowed =
      bound() * norm(exact) + rounding * norm(absolute) + 4 * norm(difference(moved, exact));
  if (!(error <= allowed)) {
    fail(fmt::format("gradient of {}: error {:.2e}, allowed {:.2e}", name, error, allowed));
  }
  if (has_difference() && !which.empty()) {
    check_difference(o, i, norm(absolute) * std::sqrt(double(all_g.size()) / which.size()));
  }
}

void Case::check_difference(const Outcome& o, size_t i, double floor) {
  const std::vector<double> g = doubles(o.grad[i]);
  const std::vector<float> x = to_host(x_[i]);
  double square = 0;
  for (float f : x) square += f * f;
  const float h = 0.01f * static_cast<float>(std::sqrt(square / x.size()));
  if (h == 0) return;
  std::vector<float> up = x, down = x;
  double predicted = 0, length = 0;
  for (size_t e = 0; e < x.size(); ++e) {
    const float v = mix64(e * 31 + i) & 1 ? h : -h;
    up[e] += v;
    down[e] -= v;
    const double moved = double(up[e]) - double(down[e]);
    predicted += g[e] * moved;
    length += moved * moved;
  }
  Tensors at = x_;
  at[i] = from_host(x_[i].shape(), up);
  const double above = loss(values(at));
  at[i] = from_host(x_[i].shape(), down);
  const double below = loss(values(at));
  const double error = std::abs(above - below - predicted);
  double rounding = 0;  // of the two losses
  for (size_t k = 0; k < o.y.size(); ++k) {
    const std::vector<double> y = doubles(o.y[k]), d = doubles(dy_[k]);
    for (size_t e = 0; e < y.size(); ++e) rounding += std::pow(0x1p-23 * y[e] * d[e], 2);
  }
  const double allowed =
      1e-3 * std::max(norm(g), floor) * std::sqrt(length) + 2 * std::sqrt(rounding);
  if (!(error <= allowed)) {
    fail(fmt::format("finite difference along {}: error {:.2e}, allowed {:.2e}", check_.in[i].name,
                     error, allowed));
  }
}

void Case::check_accumulation(const Outcome& o) {
  const Outcome twice = call(x_, all(), 2);
  for (size_t i = 0; i < x_.size(); ++i) {
    std::vector<double> g = doubles(o.grad[i]);
    for (double& v : g) v *= 2;
    const double error = norm(difference(doubles(twice.grad[i]), g));
    const bool half = o.grad[i].dtype() == DType::kBf16;
    if (!(error <= (half ? 4e-3 : 1e-6) * norm(g))) {
      fail(fmt::format("second backward does not double the gradient of {}", check_.in[i].name));
    }
  }
}

void Case::check_same_input_twice(const Outcome&) {
  for (size_t a = 0; a < x_.size(); ++a) {
    for (size_t b = a + 1; b < x_.size(); ++b) {
      if (x_[a].shape() != x_[b].shape() || x_[a].dtype() != x_[b].dtype() ||
          check_.in[a].role != check_.in[b].role) {
        continue;
      }
      Tensors x = x_;
      x[b] = x[a];
      const Outcome apart = call(x, all());
      const Outcome together = call(x, all(), 1, static_cast<int>(b), static_cast<int>(a));
      std::vector<double> sum = doubles(apart.grad[a]);
      const std::vector<double> other = doubles(apart.grad[b]);
      for (size_t e = 0; e < sum.size(); ++e) sum[e] += other[e];
      const double error = norm(difference(doubles(together.grad[a]), sum));
      const double size = norm(doubles(apart.grad[a])) + norm(other);
      if (!(error <= (x_[a].dtype() == DType::kBf16 ? 4e-3 : 1e-6) * size)) {
        fail(fmt::format("one value as {} and {}: the gradients are not added", check_.in[a].name,
                         check_.in[b].name));
      }
    }
  }
}

void Case::check_wants(const Outcome& o) {
  if (x_.size() < 2) return;
  for (size_t i = 0; i < x_.size(); ++i) {
    for (bool alone : {false, true}) {
      std::vector<bool> wants(x_.size(), !alone);
      wants[i] = alone;
      const Outcome some = call(x_, wants);
      for (size_t j = 0; j < x_.size(); ++j) {
        if (same_bits(some.grad[j], wants[j] ? o.grad[j] : Tensor())) continue;
        fail(fmt::format("gradient of {} {} gradient for {} differs", check_.in[j].name,
                         alone ? "with only a" : "without a", check_.in[i].name));
      }
    }
  }
}

void Case::check_threads(const Outcome& o) {
  const int before = num_threads();
  for (int threads : {1, 2, 5}) {
    set_num_threads(threads);
    const Outcome again = call(x_, all());
    bool same = true;
    for (size_t k = 0; k < o.y.size(); ++k) same &= same_bits(o.y[k], again.y[k]);
    for (size_t i = 0; i < x_.size(); ++i) same &= same_bits(o.grad[i], again.grad[i]);
    if (!same) fail(fmt::format("other bits with {} threads than with {}", threads, before));
  }
  set_num_threads(before);
}

void Case::check_arena(const Outcome& o) {
  Arena arena(DeviceKind::kCpu);
  for (int step = 0; step < 3; ++step) {
    ArenaScope scope(arena, 1);
    const Outcome again = call(x_, all());
    bool same = true;
    for (size_t k = 0; k < o.y.size(); ++k) same &= same_bits(o.y[k], again.y[k]);
    for (size_t i = 0; i < x_.size(); ++i) same &= same_bits(o.grad[i], again.grad[i]);
    if (!same) fail(fmt::format("other bits in step {} of an arena", step));
  }
}

// One step in the arena in force, for what it allocates.
void Case::lay_out(DeviceKind device) const {
  std::vector<Slot> slots(x_.size());
  std::vector<Var> in;
  for (size_t i = 0; i < x_.size(); ++i) {
    const DType type = check_.in[i].role == kWeight ? DType::kF32 : x_[i].dtype();
    slots[i].grad = persistent(x_[i].shape(), type, device, "a gradient");
    const bool real = device == DeviceKind::kCpu;
    in.emplace_back(real ? x_[i] : persistent(x_[i].shape(), x_[i].dtype(), device, "an input"),
                    &slots[i]);
  }
  std::vector<Var> y = check_.op(in).v;
  Var total(persistent({1}, DType::kF32, device, "a total"));
  const std::vector<Saved> saved(y.begin(), y.end());
  record_give(total, y, [&, saved](Node& node) {
    for (size_t k = 0; k < y.size(); ++k) {
      if (!node.wants(static_cast<int>(k))) continue;
      saved[k].get();
      const Grad g = node.grad_of(static_cast<int>(k));
      on_device(device, [&](auto& dev) { kernel::copy(dev, {dy_[k], g}); });
    }
  });
  for (Var& v : y) v.t = Tensor();
  if (total.slot) backward(total);
}

void Case::check_meta() {
  Arena meta(DeviceKind::kMeta), real(DeviceKind::kCpu);
  {
    ArenaScope scope(meta, 1);
    lay_out(DeviceKind::kMeta);
  }
  {
    ArenaScope scope(real, 1);
    lay_out(DeviceKind::kCpu);
  }
  if (meta.bytes() != real.bytes()) {
    return fail(fmt::format("a step takes {} bytes, on kMeta {}", real.bytes(), meta.bytes()));
  }
  Arena adopted(DeviceKind::kCpu);
  adopted.adopt(meta);
  ArenaScope scope(adopted, 1);
  lay_out(DeviceKind::kCpu);
}

void Case::run() {
  const Tensors y = values(x_);
  if (y.size() != ref_y_.size()) {
    return fail(fmt::format("{} outputs, {} of the reference", y.size(), ref_y_.size()));
  }
  for (size_t k = 0; k < y.size(); ++k) {
    dy_.push_back(normal_tensor(y[k].shape(), 500 + k, 1, 0, y[k].dtype()));
  }
  const size_t failed = failures_.size();
  const Outcome o = call(x_, all());
  check_values(o);
  if (!o.rebuilt) fail("a value made again in backward has other bits");
  for (size_t i = 0; i < x_.size(); ++i) check_gradient(o, i);
  if (failures_.size() != failed) return;
  check_accumulation(o);
  check_same_input_twice(o);
  check_wants(o);
  if (scale_ != 1 || mean_ != 0) return;
  check_threads(o);
  check_arena(o);
  if (check_.meta) check_meta();
}

}  // namespace

std::vector<float> normal_values(int64_t n, uint64_t seed, double deviation, double mean) {
  std::vector<float> v;
  const auto key = philox_key(seed, stream_of("test"), 0);
  for (int64_t i = 0; i < n; ++i) {
    const auto r = philox_block(key, 0, i);
    const double radius = std::sqrt(-2 * std::log(uniform_open(r[0])));
    const double angle = 2 * std::numbers::pi * uniform_open(r[1]);
    v.push_back(static_cast<float>(mean + deviation * radius * std::cos(angle)));
  }
  return v;
}

Tensor normal_tensor(const Shape& shape, uint64_t seed, double deviation, double mean,
                     DType dtype) {
  return from_host(shape, normal_values(shape.size(), seed, deviation, mean), dtype);
}

bool same_bits(const Tensor& a, const Tensor& b) {
  if (static_cast<bool>(a) != static_cast<bool>(b)) return false;
  if (!a) return true;
  if (a.shape() != b.shape() || a.dtype() != b.dtype()) return false;
  const std::vector<float> x = to_host(a), y = to_host(b);
  return x.empty() || std::memcmp(x.data(), y.data(), x.size() * sizeof(float)) == 0;
}

double relative_error(const Tensor& a, const Tensor& b) {
  return norm(difference(doubles(a), doubles(b))) / std::max(1e-300, norm(doubles(b)));
}

const std::vector<std::array<int64_t, 2>>& row_shapes() {
  static const std::vector<std::array<int64_t, 2>> shapes = {{1, 1},  {3, 1}, {1, 7},    {5, 16},
                                                             {3, 37}, {0, 8}, {67, 130}, {131, 33}};
  return shapes;
}

std::vector<std::string> op_failures(const OpCheck& check) {
  const RebuildFrom any(0);
  std::vector<std::string> failures;
  bool half = check.bf16;
  half &= std::any_of(check.in.begin(), check.in.end(),
                      [](const OpInput& in) { return in.role == kData || in.role == kWeight; });
  for (double scale : check.scales) {
    Case(check, scale, 0, DType::kF32, failures).run();
    if (half) Case(check, scale, 0, DType::kBf16, failures).run();
  }
  if (check.large_mean) Case(check, 1, 1e4, DType::kF32, failures).run();
  return failures;
}

void check_op(const OpCheck& check) {
  for (const std::string& f : op_failures(check)) ADD_FAILURE() << f;
}

}  // namespace keel::test
