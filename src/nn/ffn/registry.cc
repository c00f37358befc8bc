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

// THE list of feed-forward layers.
const Registry<Sublayer, const FfnArgs&>& ffns() {
  using R = Registry<Sublayer, const FfnArgs&>;
  static const R r{
      "feed-forward layer",
      {R::entry<SwigluFfn>("swiglu", "silu(x G) * (x U), then down (arXiv 2002.05202)"),
       R::entry<GeluFfn>("gelu", "GELU in its tanh form, as GPT-2 has it"),
       R::entry<GeluErfFfn>("gelu_erf", "GELU in its exact form"),
       R::entry<ReluFfn>("relu", "max(0, x)")}};
  return r;
}

}  // namespace keel
