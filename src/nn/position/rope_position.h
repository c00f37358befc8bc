// Rotary positions in the half-split layout (Su et al., arXiv 2104.09864). Q and K, never V.
#pragma once

#include "nn/position/position.h"

namespace keel {

class RopePosition final : public Position {
 public:
  struct Config final : keel::Config {
    double base = 10000;
    void fields(Fields& f) override {
      f("base", base, "wavelengths run from 2 pi to 2 pi base", above(1));
    }
  };
  RopePosition(const Config& config, const PositionArgs& args)
      : tables_(rope_tables(args.context, args.head_dim, config.base, args.parameters.device())) {}
  const RopeTables& rope() const override { return tables_; }

 private:
  RopeTables tables_;
};

}  // namespace keel
