#include "core/named_memory.h"

#include <fmt/format.h>

#include "core/error.h"

namespace keel {

void throw_no_memory(const char* what, size_t bytes) {
  throw MemoryError(fmt::format("not enough memory for {}: {} bytes", what, bytes));
}

}  // namespace keel
