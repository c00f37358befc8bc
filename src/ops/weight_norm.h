// Weight normalisation (Salimans and Kingma, arXiv 1602.07868): row r of W^ is g_r v_r / ||v_r||, a
// row for each output. With c_r = <dW^_r, v_r> / ||v_r||:
//   dg_r = c_r;  dv_r = g_r / ||v_r|| (dW^_r - c_r v_r / ||v_r||).
#pragma once

#include "autograd/var.h"

namespace keel {

// v f32 [rows, in], gain f32 [rows]. W^ of dtype `out`, its gradient f32. A row of zeros stays one
// and has no gradient. Throws ShapeError.
Var weight_norm(const Var& v, const Var& gain, DType out);

namespace kernel {
struct WeightNormFwd {
  Tensor v, gain;
  Tensor norm;  // f32 [rows]: ||v_r||
  Tensor y;
};
struct WeightNormBwd {
  Tensor dy, v, gain, norm;
  Grad dv, dgain;
};
// norm f32 [rows] of the rows of x f32 [rows, in].
struct RowNorms {
  Tensor x, norm;
};
void row_norms(Cpu&, const RowNorms&);
void weight_norm_fwd(Cpu&, const WeightNormFwd&);
void weight_norm_bwd(Cpu&, const WeightNormBwd&);
}  // namespace kernel

}  // namespace keel
