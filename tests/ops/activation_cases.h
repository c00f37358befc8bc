// The activations' formulas over complex<double>, for activation and gated.
#pragma once

#include <cmath>
#include <numbers>

#include "harness/check_op.h"
#include "ops/activation.h"

namespace keel::test {

inline constexpr Activation kActivations[] = {
    Activation::kGelu, Activation::kGeluErf, Activation::kRelu,    Activation::kRelu2,
    Activation::kElu,  Activation::kSilu,    Activation::kSigmoid, Activation::kIdentity};

inline Complex sigmoid_ref(Complex x) {
  if (x.real() < -700) return 0;
  return 1.0 / (1.0 + std::exp(-x));
}

inline Complex activation_ref(Activation kind, Complex x) {
  switch (kind) {
    case Activation::kGelu: {
      const Complex u = std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x);
      if (std::abs(u.real()) > 300) return u.real() > 0 ? x : 0;  // the complex tanh overflows
      return 0.5 * x * (1.0 + std::tanh(u));
    }
    case Activation::kGeluErf: {
      // erf has no complex form in the library; its derivative is known.
      const double r = x.real(), density = std::exp(-r * r / 2) / std::sqrt(2 * std::numbers::pi);
      return x * Complex(0.5 * std::erfc(-r / std::sqrt(2.0)), x.imag() * density);
    }
    case Activation::kRelu:
      return x.real() > 0 ? x : 0;
    case Activation::kRelu2:
      return x.real() > 0 ? x * x : 0;
    case Activation::kElu:
      return x.real() > 0 ? x : Complex(std::expm1(x.real()), x.imag() * std::exp(x.real()));
    case Activation::kSilu:
      return x * sigmoid_ref(x);
    case Activation::kSigmoid:
      return sigmoid_ref(x);
    case Activation::kIdentity:
      break;
  }
  return x;
}

}  // namespace keel::test
