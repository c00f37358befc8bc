// A trained table [context, dim] added to the embedding (GPT-2). Positions beyond it do not exist.
#pragma once

#include "nn/position/position.h"

namespace keel {

class LearnedPosition final : public Position {
 public:
  using Config = NoOptions;
  LearnedPosition(const Config&, const PositionArgs& args)
      : table_(args.parameters.add("positions.weight", {args.context, args.dim}, Role::kPosition)) {
  }
  Var table() const override { return table_.var(); }
  bool slides() const override { return false; }

 private:
  ParameterRef table_;
};

}  // namespace keel
