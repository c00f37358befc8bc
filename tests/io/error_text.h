// What an operation says when it fails, so that tests can hold every error text.
#pragma once

#include <string>

#include "core/error.h"

namespace keel {

// The text of the error that f throws, which must be of this kind; "no error" or "another error"
// otherwise.
template <class E, class F>
std::string error_text(F f) {
  try {
    f();
  } catch (const E& e) {
    return e.what();
  } catch (const std::exception& e) {
    return std::string("another error: ") + e.what();
  }
  return "no error";
}

}  // namespace keel
