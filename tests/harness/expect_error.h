// expect_error<ShapeError>("op: text", [&] { ... }): the call throws that type with that very text.
#pragma once

#include <gtest/gtest.h>

#include <string>

namespace keel::test {

template <class E, class F>
void expect_error(const std::string& what, F&& f) {
  try {
    f();
    ADD_FAILURE() << "no error: " << what;
  } catch (const E& e) {
    EXPECT_EQ(e.what(), what);
  }
}

}  // namespace keel::test
