#include "nn/residual/layer_scale.h"
#include "nn/residual/rezero.h"

namespace keel {

// THE list of what can multiply a branch; "none" is allowed beside it.
const Registry<Residual, const ResidualArgs&>& residuals() {
  using R = Registry<Residual, const ResidualArgs&>;
  static const R r{"residual",
                   {R::entry<LayerScale>("layer_scale", "a trained factor for each channel"),
                    R::entry<ReZero>("rezero", "one trained factor that starts at 0")}};
  return r;
}

}  // namespace keel
