#include "backend/cpu/scratch.h"

#include "core/memory.h"
#include "core/parallel.h"

namespace keel {
namespace {

struct Buffer {
  void* data = nullptr;
  size_t bytes = 0;

  void* at_least(size_t n) {
    if (n <= bytes) return data;
    n = (n + 4095) / 4096 * 4096;
    if (data) release_pages(data, bytes);
    data = nullptr;
    bytes = 0;
    data = map_pages(n, "the working memory of a kernel");
    bytes = n;
    return data;
  }
};

Buffer workers[kMaxThreads];
Buffer shared;

}  // namespace

void reserve_worker_scratch(size_t bytes) {
  for (int i = 0, n = num_threads(); i < n; ++i) workers[i].at_least(bytes);
}

void* worker_scratch(size_t bytes) { return workers[worker_index()].at_least(bytes); }

void* shared_scratch(size_t bytes) { return shared.at_least(bytes); }

int64_t scratch_bytes() {
  int64_t sum = static_cast<int64_t>(shared.bytes);
  for (const Buffer& b : workers) sum += static_cast<int64_t>(b.bytes);
  return sum;
}

}  // namespace keel
