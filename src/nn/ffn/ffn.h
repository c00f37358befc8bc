// The feed-forward branch of a block. Gated forms (Shazeer, arXiv 2002.05202) get 2/3 of the width,
// so that all forms have about equal parameters.
#pragma once

#include <string>

#include "nn/linear/linear.h"
#include "nn/parameters.h"
#include "nn/sublayer.h"

namespace keel {

struct FfnArgs {
  Parameters& parameters;
  std::string name;  // prefix of its parameters
  int64_t dim;
  bool bias;
  float dropout;
  const LinearChoice& linear;
  int64_t layer = 0;
};

// Options that all feed-forward layers share.
struct FfnOptions final : Config {
  int64_t hidden = 0;
  int64_t multiple = 8;
  void fields(Fields& f) override {
    f("hidden", hidden, "width; 0: 4 dim, and 8/3 dim when gated, rounded", between(0, 1 << 24));
    f("multiple", multiple, "the automatic width is rounded to the nearest multiple of this",
      between(1, 1 << 20));
  }
};

// The width in force: `hidden` if set, else 4 dim (plain) or 8/3 dim (gated) rounded to `multiple`.
int64_t ffn_width(const FfnOptions& options, int64_t dim, bool gated);

const Registry<Sublayer, const FfnArgs&>& ffns();
using FfnChoice = Variant<Sublayer, const FfnArgs&>;

}  // namespace keel
