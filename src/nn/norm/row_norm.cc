#include "nn/norm/row_norm.h"

#include "ops/layer_norm.h"
#include "ops/rms_norm.h"

namespace keel {
namespace {

// layer_norm and rms_norm know no other form.
bool plain(const NormForm& f) { return f.epsilon == Epsilon::kInside && f.first == 0; }

}  // namespace

void RowNormOptions::row_fields(Fields& f, std::string_view eps_doc) {
  f("eps", eps, eps_doc, at_least(0));
  f("eps_inside", eps_inside, "epsilon is added under the root; false: to the root");
  gain_fields(f);
}

NormForm RowNormOptions::form() const {
  NormForm f;
  f.eps = static_cast<float>(eps);
  f.epsilon = eps_inside ? Epsilon::kInside : Epsilon::kOutside;
  return f;
}

Var RowNorm::forward(const Var& x, DType out) const {
  const Var gain = affine_.gain(), bias = affine_.bias();
  if (!plain(form_)) return general_norm(x, gain, bias, form_, out);
  return form_.centred ? layer_norm(x, gain, bias, form_.eps, out)
                       : rms_norm(x, gain, bias, form_.eps, out);
}

AddNorm RowNorm::add_forward(const Var& x, const Var& branch, DType out) const {
  const Var gain = affine_.gain(), bias = affine_.bias();
  if (!plain(form_)) return add_general_norm(x, branch, gain, bias, form_, out);
  return form_.centred ? add_layer_norm(x, branch, gain, bias, form_.eps, out)
                       : add_rms_norm(x, branch, gain, bias, form_.eps, out);
}

AddNorm RowNorm::scaled_add_forward(const Var& x, float factor, const Var& branch,
                                    DType out) const {
  NormForm form = form_;
  form.x_factor = factor;
  return add_general_norm(x, branch, affine_.gain(), affine_.bias(), form, out);
}

}  // namespace keel
