#pragma once

namespace keel {

// Seconds of a clock that never goes back, for durations.
double seconds_now();

}  // namespace keel
