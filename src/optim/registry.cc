#include "optim/adafactor.h"
#include "optim/adamw.h"
#include "optim/lion.h"
#include "optim/muon.h"
#include "optim/sgd.h"
#include "optim/stable_adamw.h"

namespace keel {

// THE list of optimizers.
const Registry<Optimizer, const Params&>& optimizers() {
  using R = Registry<Optimizer, const Params&>;
  static const R r{
      "optimizer",
      {R::entry<AdamW>("adamw", "Adam with decoupled weight decay"),
       R::entry<StableAdamW>("stable_adamw", "AdamW with each tensor's update clipped"),
       R::entry<Adafactor>("adafactor", "second moments of rows and columns alone"),
       R::entry<Sgd>("sgd", "gradient descent with momentum"),
       R::entry<Lion>("lion", "the sign of the momentum"),
       R::entry<Muon>("muon",
                      "hidden matrices by their orthogonalised momentum, the rest by AdamW")}};
  return r;
}

}  // namespace keel
