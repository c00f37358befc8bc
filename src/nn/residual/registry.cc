#include "nn/residual/residual.h"

namespace keel {

// THE list of what can multiply a branch; "none" is allowed beside it.
const Registry<Residual, const ResidualArgs&>& residuals() {
  using R = Registry<Residual, const ResidualArgs&>;
  static const R r{"residual", {}};
  return r;
}

}  // namespace keel
