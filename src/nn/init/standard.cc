#include "nn/init/standard.h"

namespace keel {

Start StandardInit::start(Role role, const Shape&) const {
  return start_of(role, {Start::Kind::kNormal, config_.deviation});
}

}  // namespace keel
