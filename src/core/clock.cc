#include "core/clock.h"

#include <chrono>

namespace keel {

double seconds_now() {
  const auto t = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(t).count();
}

}  // namespace keel
