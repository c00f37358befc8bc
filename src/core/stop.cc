#include "core/stop.h"

#include <fmt/format.h>

#include <limits>

#include "core/clock.h"

namespace keel {
namespace {

thread_local const StopRequests* heeded = nullptr;

}  // namespace

void StopRequests::limit(double seconds, const std::string& what) {
  const double end = seconds_now() + seconds;
  if (end_ != 0 && end_ <= end) return;
  end_ = end;
  what_ = what;
}

bool StopRequests::stop_wanted() const {
  if (stops_.load() > 0 || time_is_up_.load()) return true;
  if (end_ == 0 || seconds_left() > kept_) return false;
  time_is_up_.store(true);
  return true;
}

std::string StopRequests::reason() const {
  return stops_.load() > 0 ? "asked to stop" : fmt::format("the time of {} is nearly up", what_);
}

double StopRequests::seconds_left() const {
  return end_ == 0 ? std::numeric_limits<double>::infinity() : end_ - seconds_now();
}

StopScope::StopScope(const StopRequests& requests) : outer_(heeded) { heeded = &requests; }

StopScope::~StopScope() { heeded = outer_; }

void stop_point() {
  if (heeded != nullptr && heeded->stop_wanted()) throw Stopped();
}

}  // namespace keel
