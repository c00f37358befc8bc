// The table [clip]: gradients are scaled down so that their global norm stays at or below a bound.
#pragma once

#include "config/fields.h"

namespace keel {

struct ClipConfig final : Config {
  double norm = 1.0;
  void fields(Fields& f) override {
    f("norm", norm, "largest global gradient norm; 0: no clipping", at_least(0));
  }
};

}  // namespace keel
