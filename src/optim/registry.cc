#include "optim/adamw.h"
#include "optim/optimizer.h"

namespace keel {

const Registry<Optimizer, const Params&>& optimizers() {
  using R = Registry<Optimizer, const Params&>;
  static const R r{"optimizer", {R::entry<AdamW>("adamw", "Adam with decoupled weight decay")}};
  return r;
}

}  // namespace keel
