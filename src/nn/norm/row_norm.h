// LayerNorm, RMSNorm and their forms: what norms by the statistics of a row has one implementation,
// and a variant is its options and the form that they stand for.
#pragma once

#include "nn/norm/gain_bias.h"
#include "ops/general_norm.h"

namespace keel {

// Keys of the norms with an epsilon beside a mean square.
struct RowNormOptions : NormOptions {
  double eps = 1e-5;
  bool eps_inside = true;

 protected:
  void row_fields(Fields& f, std::string_view eps_doc);
  NormForm form() const;
};

class RowNorm : public Norm {
 public:
  Var forward(const Var& x, DType out) const override;
  AddNorm add_forward(const Var& x, const Var& branch, DType out) const override;
  AddNorm scaled_add_forward(const Var& x, float factor, const Var& branch,
                             DType out) const override;

 protected:
  RowNorm(const NormForm& form, GainBias affine) : form_(form), affine_(std::move(affine)) {}

 private:
  NormForm form_;
  GainBias affine_;
};

}  // namespace keel
