// Watching values on their way through a model, for those who ask for it: a forward pass without an
// observer runs as if this were not here. Legend: b batch, t time.
#pragma once

#include <string_view>

#include "nn/sublayer.h"

namespace keel {

struct PassObserver {
  virtual ~PassObserver() = default;
  // What a part of the model gave, [b, t, ...]: "embedding" (layer is 0), and of each layer
  // "attention" and "ffn" (its branches, before the residual scheme weighs or norms them) and
  // "stream" (the residual stream behind both). In the order in which they are computed.
  virtual void see(std::string_view what, int64_t layer, const Var& value) = 0;
};

// A branch of a block that shows what it gives.
class Observed final : public Sublayer {
 public:
  // Holds references to both.
  Observed(const Sublayer& inner, std::string_view what, int64_t layer, PassObserver& observer)
      : inner_(inner), what_(what), layer_(layer), observer_(observer) {}
  Var forward(const Var& x_btd, Pass& pass) const override {
    Var y_btd = inner_.forward(x_btd, pass);
    observer_.see(what_, layer_, y_btd);
    return y_btd;
  }

 private:
  const Sublayer& inner_;
  std::string_view what_;
  int64_t layer_;
  PassObserver& observer_;
};

}  // namespace keel
