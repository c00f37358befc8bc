// check_op: one op against its formula. The formula is written again in the test as plain loops
// over complex<double>, so that it gives both the values and, by the complex step (Squire and
// Trapp, SIAM Review 40, 1998), gradients that are right to the last digit.
//
//   check_op({.in = {{"x", {R, C}}, {"gain", {C}, kParameter}},
//             .op = [](auto& v) { return rms_norm(v[0], v[1], {}, 1e-5f, v[0].t.dtype()); },
//             .ref = [](auto& v) { ... return y; }});
//
// Each check runs for every scale (and with rows of mean 1e4 if asked), in f32 and, when an input
// is kData or kWeight, in bf16:
//   1 values against ref; 2 gradients against the complex step of ref; 3 directional finite
//   difference of the op itself; 4 a second backward doubles the gradients; 5 one value passed as
//   two inputs gets the sum of both gradients; 6 each input without and each alone with gradient;
//   7 the same bits with 1 and more threads; 8 a value that is made again in backward, and a step
//   replayed in an arena's dirty memory, have the same bits; 9 on kMeta a step takes the same
//   memory.
#pragma once

#include <array>
#include <complex>
#include <functional>
#include <string>
#include <vector>

#include "autograd/var.h"

namespace keel::test {

using Complex = std::complex<double>;

// A tensor of the reference: row-major values.
struct Array {
  Shape shape;
  std::vector<Complex> v;

  Array() = default;
  explicit Array(const Shape& s) : shape(s), v(static_cast<size_t>(s.size())) {}
  Complex& operator[](int64_t i) { return v[static_cast<size_t>(i)]; }
  const Complex& operator[](int64_t i) const { return v[static_cast<size_t>(i)]; }
  int64_t dim(int axis) const { return shape.dim(axis); }
  int64_t rows() const { return shape.rows(); }
};

enum Role {
  kData,       // follows scale and dtype of the case; its gradient has that dtype
  kStream,     // follows the scale, always f32 (the residual stream)
  kParameter,  // f32, deviation 0.5 around `center` (gains, biases)
  kWeight,     // as kParameter, but stored in the dtype of the case; gradient f32
};

struct OpInput {
  std::string name;
  Shape shape;
  Role role = kData;
  double center = 0;  // of kParameter and kWeight
};

// One or several of what an op or its reference returns.
template <class T>
struct OneOrMore {
  std::vector<T> v;
  explicit(false) OneOrMore(T one) { v.push_back(std::move(one)); }
  OneOrMore(std::initializer_list<T> all) : v(all) {}
};

struct OpCheck {
  std::vector<OpInput> in;
  std::function<OneOrMore<Var>(const std::vector<Var>&)> op;
  std::function<OneOrMore<Array>(const std::vector<Array>&)> ref;
  std::vector<double> scales = {1e-3, 1, 1e3};
  // Scales at which a step of 1 % is small for the op (activations: not 1e3).
  std::vector<double> difference_scales = {1e-3, 1, 1e3};
  bool large_mean = false;  // also data of mean 1e4 and deviation 1 (f32)
  bool kinked = false;      // keep data away from 0, where the op has no derivative
  bool bf16 = true;
  bool meta = true;     // the op can run on kMeta beside the CPU tensors that the test captured
  double bound = 1e-5;  // relative, f32, beside what the last bit of the inputs changes
  double bf16_bound = 4e-3;  // relative, norm of a tensor rounded once
};

// One failed expectation of the test for each thing that is wrong.
void check_op(const OpCheck& check);
// The same as text, for tests of check_op itself.
std::vector<std::string> op_failures(const OpCheck& check);

// Rows and columns worth trying: 1, odd primes, above the SIMD width, several chunks, no rows.
const std::vector<std::array<int64_t, 2>>& row_shapes();

// n values of a normal distribution, a pure function of the seed.
std::vector<float> normal_values(int64_t n, uint64_t seed, double deviation = 1, double mean = 0);
Tensor normal_tensor(const Shape& shape, uint64_t seed, double deviation = 1, double mean = 0,
                     DType dtype = DType::kF32);
// True if both have the same shape, dtype and bits (no bits where neither is defined).
bool same_bits(const Tensor& a, const Tensor& b);
// ||a - b|| / ||b|| over all values, in double.
double relative_error(const Tensor& a, const Tensor& b);

}  // namespace keel::test
