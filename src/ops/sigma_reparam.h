// Sigma-reparametrisation (Zhai et al., arXiv 2303.06296): W^ = gamma / sigma(W) W, sigma the
// largest singular value by one power iteration from u: v = W u / ||W u||, u' = W^T v / ||W^T v||,
// sigma = v^T W u'. v and u' are constants to the gradient, W and gamma are not:
//   dgamma = <dW^, W> / sigma;  dW = gamma / sigma (dW^ - <dW^, W> / sigma v u'^T).
#pragma once

#include "autograd/var.h"
#include "core/step_state.h"
#include "ops/stacked_rows.h"

namespace keel {

struct SigmaReparamArgs {
  StackedRows rows;  // of the p matrices in the stack; each has its own gamma, sigma and u
  Tensor u;          // f32 [p, in], unit length: where the iteration starts
  Tensor next;       // f32 [p, in]: receives u'; or empty. Not to be changed before backward
  DType out = DType::kF32;
};

// weight f32 [rows, in], gamma f32 [p]. W^ [rows, in] of dtype `out`, its gradient f32. A matrix of
// zeros stays one. Throws ShapeError.
Var sigma_reparam(const Var& weight, const Var& gamma, const SigmaReparamArgs& args);

// The power iteration alone: sigma f32 [p] and u' into `next`.
void spectral_step(const Tensor& weight, const StackedRows& rows, const Tensor& u,
                   const Tensor& next, const Tensor& sigma);

namespace kernel {
constexpr int64_t kSpectralRows = 64;  // rows whose products with W^T are summed up in one piece
int64_t spectral_pieces(const StackedRows& rows);

// At a step's first call begin = u, and `begun` notes the step; later calls do nothing.
struct SpectralBegin {
  Tensor u, begin;  // f32 [p, in]
  Tensor begun;     // i32 [1]: the low bits of a step's number, -1 for none
  const StepState* state;
};
struct SpectralStep {
  Tensor weight, u;
  StackedRows rows;
  Tensor v;        // f32 [rows]
  Tensor next;     // f32 [p, in]
  Tensor sigma;    // f32 [p]
  Tensor partial;  // f32 [spectral_pieces, in]
};
struct SigmaReparamFwd {
  Tensor weight, gamma, sigma;
  StackedRows rows;
  Tensor y;
};
struct SigmaReparamBwd {
  Tensor dy, weight, gamma, sigma, v, u;  // u: that is u'
  StackedRows rows;
  Tensor inner;  // f32 [rows]: scratch
  Grad dweight, dgamma;
};
void spectral_begin(Cpu&, const SpectralBegin&);
void spectral_step(Cpu&, const SpectralStep&);
void sigma_reparam_fwd(Cpu&, const SigmaReparamFwd&);
void sigma_reparam_bwd(Cpu&, const SigmaReparamBwd&);
}  // namespace kernel

}  // namespace keel
