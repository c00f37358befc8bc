// Memory of the standard library's containers that says what it was for when it is short, as blocks
// of tensors do (core/memory.h).
#pragma once

#include <cstddef>
#include <new>

namespace keel {

// MemoryError: "not enough memory for WHAT: N bytes".
[[noreturn]] void throw_no_memory(const char* what, size_t bytes);

// v.resize(n).
template <class V>
void resize_named(V& v, size_t n, const char* what) {
  try {
    v.resize(n);
  } catch (const std::bad_alloc&) {
    throw_no_memory(what, n * sizeof v[0]);
  }
}

}  // namespace keel
