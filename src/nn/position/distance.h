// Positions told by a bias of the scores that depends on the distance alone.
#pragma once

#include "nn/position/position.h"
#include "ops/distance_bias.h"

namespace keel {

// -slope x distance, a slope for each head (Press et al., arXiv 2108.12409).
class AlibiPosition final : public Position {
 public:
  using Config = NoOptions;
  AlibiPosition(const Config&, const PositionArgs& args)
      : bias_(alibi_bias(args.heads, args.context, args.parameters.device())) {}
  Var distance_bias() const override { return Var(bias_); }

 private:
  Tensor bias_;
};

// A number for each head and bucket of distances, shared by all layers (Raffel et al., arXiv
// 1910.10683). T5 itself has no scale of q k (attention.scale = "one").
class T5Position final : public Position {
 public:
  struct Config final : keel::Config {
    int64_t buckets = 32, max_distance = 128;
    void fields(Fields& f) override {
      f("buckets", buckets, "half of them hold one distance each, the others grow",
        between(2, 1 << 20));
      f("max_distance", max_distance, "from here on all distances are in the last bucket",
        between(2, 1 << 30));
    }
    void validate(Errors& errors) const override {
      if (max_distance > buckets / 2) return;
      errors.add("max_distance", "must be more than buckets / 2, where buckets of one distance end",
                 {"buckets"});
    }
  };
  T5Position(const Config& config, const PositionArgs& args)
      : table_(
            args.parameters.add("positions.weight", {args.heads, config.buckets}, Role::kPosition)),
        buckets_(t5_buckets(args.context, config.buckets, config.max_distance,
                            args.parameters.device())) {}
  Var distance_bias() const override { return bucket_bias(table_.var(), buckets_); }

 private:
  ParameterRef table_;
  Tensor buckets_;
};

}  // namespace keel
