#include "nn/position/learned.h"
#include "nn/position/rope_position.h"

namespace keel {

const RopeTables& Position::rope() const {
  static const RopeTables none;
  return none;
}

// THE list of positions; "none" is allowed beside it.
const Registry<Position, const PositionArgs&>& positions() {
  using R = Registry<Position, const PositionArgs&>;
  static const R r{
      "position",
      {R::entry<RopePosition>("rope", "queries and keys rotated (arXiv 2104.09864)"),
       R::entry<LearnedPosition>("learned", "a trained table added to the embedding")}};
  return r;
}

}  // namespace keel
