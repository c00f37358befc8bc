#include "core/memory.h"

#include <sys/mman.h>

#include <cstdlib>

#include "core/arena.h"
#include "core/device_memory.h"
#include "core/named_memory.h"

namespace keel {
namespace {

int64_t alive_bytes = 0;

constexpr size_t kPagesFrom = size_t{1} << 16;  // smaller blocks come from malloc
constexpr size_t kHuge = size_t{2} << 20;

}  // namespace

void* map_pages(size_t bytes, const char* what) {
  if (bytes < kPagesFrom) {
    void* p = std::aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (!p) throw_no_memory(what, bytes);
    return p;
  }
  void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) throw_no_memory(what, bytes);
  if (bytes >= kHuge) madvise(p, bytes, MADV_HUGEPAGE);
  return p;
}

void release_pages(void* data, size_t bytes) {
  if (bytes < kPagesFrom)
    std::free(data);
  else
    munmap(data, bytes);
}

Block* allocate_heap(DeviceKind device, size_t bytes, const char* what) {
  auto* b = new Block{
      .data = nullptr, .bytes = bytes, .refs = 1, .id = -1, .arena = nullptr, .device = device};
  alive_bytes += static_cast<int64_t>(bytes);
  if (device == DeviceKind::kMeta || bytes == 0) return b;
  try {
    b->data =
        device == DeviceKind::kCuda ? cuda_memory().allocate(bytes, what) : map_pages(bytes, what);
  } catch (...) {
    alive_bytes -= static_cast<int64_t>(bytes);
    delete b;
    throw;
  }
  if (device == DeviceKind::kCpu && bytes < kPagesFrom) __builtin_memset(b->data, 0, bytes);
  return b;
}

void retain(Block* b) { ++b->refs; }

void release(Block* b) {
  if (--b->refs > 0) return;
  if (b->arena) {
    b->arena->release_block(b);
    return;
  }
  alive_bytes -= static_cast<int64_t>(b->bytes);
  if (b->data && b->device == DeviceKind::kCuda)
    cuda_memory().release(b->data);
  else if (b->data)
    release_pages(b->data, b->bytes);
  delete b;
}

int64_t heap_bytes_alive() { return alive_bytes; }

}  // namespace keel
