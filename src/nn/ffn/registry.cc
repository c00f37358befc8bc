#include <algorithm>
#include <cmath>

#include "nn/ffn/gated_ffn.h"
#include "nn/ffn/plain_ffn.h"

namespace keel {

int64_t ffn_width(const FfnOptions& options, int64_t dim, bool gated) {
  if (options.hidden > 0) return options.hidden;
  const double wanted = gated ? 8.0 / 3.0 * double(dim) : 4.0 * double(dim);
  const double units = std::max(1.0, std::nearbyint(wanted / double(options.multiple)));
  return static_cast<int64_t>(units) * options.multiple;
}

// THE list of feed-forward layers. Gated forms are those of arXiv 2002.05202.
const Registry<Sublayer, const FfnArgs&>& ffns() {
  using R = Registry<Sublayer, const FfnArgs&>;
  using A = Activation;
  static const R r{
      "feed-forward layer",
      {R::entry<GatedFfnOf<A::kSilu>>("swiglu", "silu(x G) * (x U), then down (arXiv 2002.05202)"),
       R::entry<GatedFfnOf<A::kGelu>>("geglu", "gelu(x G) * (x U), gelu in its tanh form"),
       R::entry<GatedFfnOf<A::kGeluErf>>("geglu_erf", "gelu(x G) * (x U), gelu in its exact form"),
       R::entry<GatedFfnOf<A::kRelu>>("reglu", "max(0, x G) * (x U)"),
       R::entry<GatedFfnOf<A::kSigmoid>>("glu", "sigmoid(x G) * (x U)"),
       R::entry<GatedFfnOf<A::kIdentity>>("bilinear", "(x G) * (x U)"),
       R::entry<GatedFfnOf<A::kElu>>("gated_elu", "elu(x G) * (x U)"),
       R::entry<PlainFfnOf<A::kGelu>>("gelu", "GELU in its tanh form, as GPT-2 has it"),
       R::entry<PlainFfnOf<A::kGeluErf>>("gelu_erf", "GELU in its exact form"),
       R::entry<PlainFfnOf<A::kRelu>>("relu", "max(0, x)"),
       R::entry<PlainFfnOf<A::kRelu2>>("relu2", "max(0, x)^2 (arXiv 2109.08668)"),
       R::entry<PlainFfnOf<A::kSilu>>("silu", "x sigmoid(x), Swish with beta 1"),
       R::entry<PlainFfnOf<A::kElu>>("elu", "x, or e^x - 1 below 0 (arXiv 1511.07289)")}};
  return r;
}

}  // namespace keel
