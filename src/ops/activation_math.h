// The formulas of the activations, each with its derivative, as templates over the number type.
// To add one: a struct here, a name in Activation (activation.h), a line in with_activation.
#pragma once

#include "backend/scalar_math.h"
#include "ops/activation.h"

namespace keel {

struct Identity {
  template <class V>
  KEEL_HD static V value(V x) {
    return x;
  }
  template <class V>
  KEEL_HD static V slope(V) {
    return V(1.0f);
  }
};

struct Relu {
  template <class V>
  KEEL_HD static V value(V x) {
    return max(V(0.0f), x);  // in this order a NaN passes
  }
  template <class V>
  KEEL_HD static V slope(V x) {
    return select(x > V(0.0f), V(1.0f), V(0.0f));
  }
};

// max(0, x)^2 (So et al., arXiv 2109.08668).
struct Relu2 {
  template <class V>
  KEEL_HD static V value(V x) {
    const V r = Relu::value(x);
    return r * r;
  }
  template <class V>
  KEEL_HD static V slope(V x) {
    return V(2.0f) * Relu::value(x);
  }
};

// x above 0, e^x - 1 below (Clevert et al., arXiv 1511.07289, alpha 1); no cancellation near 0.
struct Elu {
  template <class V>
  KEEL_HD static V value(V x) {
    const auto [n, q] = exp_parts(min(V(0.0f), max(V(-104.0f), x)));
    const V power = scale2(V(1.0f), n);
    return select(x > V(0.0f), x, fma(power, q, power - V(1.0f)));
  }
  template <class V>
  KEEL_HD static V slope(V x) {
    return exp(min(V(0.0f), x));
  }
};

struct Sigmoid {
  template <class V>
  KEEL_HD static V value(V x) {
    return sigmoid(x);
  }
  template <class V>
  KEEL_HD static V slope(V x) {
    const V s = sigmoid(x);
    return s * (V(1.0f) - s);
  }
};

// x sigmoid(x): Swish with beta 1 (Ramachandran et al., arXiv 1710.05941).
struct Silu {
  template <class V>
  KEEL_HD static V value(V x) {
    return x * sigmoid(x);
  }
  template <class V>
  KEEL_HD static V slope(V x) {
    const V s = sigmoid(x);
    return s * fma(x, V(1.0f) - s, V(1.0f));
  }
};

// x / 2 (1 + tanh(u)) with u = sqrt(2 / pi) (x + 0.044715 x^3), written as x sigmoid(2 u): the same
// function without the cancellation in 1 + tanh (Hendrycks and Gimpel, arXiv 1606.08415).
struct Gelu {
  template <class V>
  KEEL_HD static V value(V x) {
    return x * sigmoid(twice_u(x));
  }
  template <class V>
  KEEL_HD static V slope(V x) {
    const V s = sigmoid(twice_u(x));
    const V twice_du = fma(V(3 * kTwice * kCubic), x * x, V(kTwice));
    return s * fma(x * (V(1.0f) - s), twice_du, V(1.0f));
  }

 private:
  static constexpr float kTwice = 1.59576912f;  // 2 sqrt(2 / pi)
  static constexpr float kCubic = 0.044715f;
  template <class V>
  KEEL_HD static V twice_u(V x) {
    return x * fma(V(kTwice * kCubic), x * x, V(kTwice));
  }
};

// x Phi(x), Phi the normal distribution function.
struct GeluErf {
  template <class V>
  KEEL_HD static V value(V x) {
    return x * phi(x);
  }
  template <class V>
  KEEL_HD static V slope(V x) {
    const V density = V(0.398942280f) * exp(V(-0.5f) * x * x);
    return fma(x, density, phi(x));
  }

 private:
  template <class V>
  KEEL_HD static V phi(V x) {
    return fma(V(0.5f), erf(x * V(0.707106781f)), V(0.5f));
  }
};

// Calls f.template operator()<Formula>(): the one switch over activations.
template <class F>
decltype(auto) with_activation(Activation kind, F&& f) {
  switch (kind) {
    case Activation::kGelu:
      return f.template operator()<Gelu>();
    case Activation::kGeluErf:
      return f.template operator()<GeluErf>();
    case Activation::kRelu:
      return f.template operator()<Relu>();
    case Activation::kRelu2:
      return f.template operator()<Relu2>();
    case Activation::kElu:
      return f.template operator()<Elu>();
    case Activation::kSilu:
      return f.template operator()<Silu>();
    case Activation::kSigmoid:
      return f.template operator()<Sigmoid>();
    case Activation::kIdentity:
      break;
  }
  return f.template operator()<Identity>();
}

}  // namespace keel
