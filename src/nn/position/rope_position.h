// Rotary positions (Su et al., arXiv 2104.09864): Q and K, never V. The layouts differ by a
// permutation of a head's channels, so weights trained in one do not fit the other.
#pragma once

#include <algorithm>

#include "nn/position/position.h"

namespace keel {

class RopePosition final : public Position {
 public:
  struct Config final : keel::Config {
    double base = 10000;
    std::string layout = "half";
    double partial = 1;
    bool rotate_v = false;
    void fields(Fields& f) override {
      f("base", base, "frequencies fall from 1 to about 1 / base", above(1));
      f("layout", layout, "pairs (i, i + half), or (2 i, 2 i + 1) as in the paper",
        one_of({"half", "interleaved"}));
      f("partial", partial, "share of a head's channels that turns, the first ones",
        above(0).at_most(1));
      f("rotate_v", rotate_v, "values turn as well: a negative control, in no paper");
    }
    // Channels of a head that turn: an even number, 2 at least.
    int64_t turned(int64_t head_dim) const {
      return std::max<int64_t>(1, static_cast<int64_t>(partial * double(head_dim) / 2 + 1e-9)) * 2;
    }
  };
  RopePosition(const Config& config, const PositionArgs& args)
      : tables_(rope_tables(args.context, config.turned(args.head_dim), config.base,
                            args.parameters.device())),
        rotate_v_(config.rotate_v) {
    tables_.interleaved = config.layout == "interleaved";
  }
  const RopeTables& rope() const override { return tables_; }
  bool turns_values() const override { return rotate_v_; }

 private:
  RopeTables tables_;
  bool rotate_v_;
};

}  // namespace keel
