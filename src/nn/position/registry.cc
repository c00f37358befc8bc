#include "nn/position/distance.h"
#include "nn/position/learned.h"
#include "nn/position/rope_position.h"
#include "nn/position/sinusoidal.h"
#include "nn/position/transformer_xl.h"

namespace keel {

const RopeTables& Position::rope() const {
  static const RopeTables none;
  return none;
}

std::unique_ptr<RelativeTerm> Position::relative(const std::string&, const LinearChoice&) const {
  return nullptr;
}

// THE list of positions; "none" is allowed beside it.
const Registry<Position, const PositionArgs&>& positions() {
  using R = Registry<Position, const PositionArgs&>;
  static const R r{
      "position",
      {R::entry<RopePosition>("rope", "queries and keys rotated (arXiv 2104.09864)"),
       R::entry<LearnedPosition>("learned", "a trained table added to the embedding"),
       R::entry<SinusoidalPosition>("sinusoidal", "fixed waves added to the embedding"),
       R::entry<T5Position>("t5", "a learned bias of the scores for each bucket of distances"),
       R::entry<AlibiPosition>("alibi", "a bias that falls with the distance, by head"),
       R::entry<TransformerXlPosition>("transformer_xl",
                                       "queries score distances as well as keys")}};
  return r;
}

}  // namespace keel
