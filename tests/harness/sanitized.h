// Whether this program is built with a sanitizer, which takes terabytes of address space and
// answers allocations itself (KEEL_SANITIZED comes from cmake/warnings.cmake).
#pragma once

namespace keel::test {

#ifdef KEEL_SANITIZED
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

}  // namespace keel::test
