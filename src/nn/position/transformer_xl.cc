#include "nn/position/transformer_xl.h"

#include "core/device_memory.h"
#include "nn/position/sinusoidal.h"
#include "ops/add_vector.h"
#include "ops/linear.h"
#include "ops/reshape.h"

namespace keel {
namespace {

class Term final : public RelativeTerm {
 public:
  Term(const PositionArgs& a, const Tensor& waves, const std::string& n, const LinearChoice& linear)
      : heads_(a.heads),
        head_dim_(a.head_dim),
        waves_(waves),
        projection_(linears().make(
            linear,
            {a.parameters, {{n + ".distance", a.heads * a.head_dim, Role::kLinear}}, a.dim})),
        content_(a.parameters.add(n + ".content_bias", {a.heads, a.head_dim}, Role::kPosition)),
        distance_(a.parameters.add(n + ".distance_bias", {a.heads, a.head_dim}, Role::kPosition)) {}
  Queries queries(const Var& q) const override {
    return {add_vector(q, content_.var()), add_vector(q, distance_.var())};
  }
  Var keys(int64_t n, const Pass& pass) const override {
    const Var projected = linear(Var(waves_.slice(0, 0, n)), projection_->weight(pass), {});
    return reshape(projected, {n, heads_, head_dim_});
  }

 private:
  int64_t heads_, head_dim_;
  Tensor waves_;
  std::unique_ptr<LinearWeight> projection_;  // W_R
  ParameterRef content_, distance_;
};

}  // namespace

TransformerXlPosition::TransformerXlPosition(const Config&, const PositionArgs& args)
    : args_(args) {
  const Shape shape{args.context, args.dim};
  const DType dtype = args.parameters.compute();
  const DeviceKind device = args.parameters.device();
  waves_ = device == DeviceKind::kMeta
               ? persistent(shape, dtype, device, "the distances")
               : copy_to(from_host(shape, sinusoids(args.context, args.dim, true), dtype), device);
}

std::unique_ptr<RelativeTerm> TransformerXlPosition::relative(const std::string& name,
                                                              const LinearChoice& linear) const {
  return std::make_unique<Term>(args_, waves_, name, linear);
}

}  // namespace keel
