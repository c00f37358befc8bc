// Blocks of memory behind tensors. Handles are counted without atomics: tensors are copied on the
// thread that runs the step only; kernels hand raw pointers to the workers.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/device_kind.h"

namespace keel {

class Arena;

struct Block {
  void* data = nullptr;  // null on kMeta
  size_t bytes = 0;
  int32_t refs = 0;
  int32_t id = -1;         // position in the arena's recording
  Arena* arena = nullptr;  // null: heap memory, freed with the last handle
  DeviceKind device = DeviceKind::kCpu;
};

// Memory that outlives a step: 64-byte aligned, zeroed. Throws MemoryError naming `what` and bytes.
Block* allocate_heap(DeviceKind device, size_t bytes, const char* what);

// Not zeroed below 64 KiB. From there on pages straight from the system, returned to it by
// release_pages at once.
void* map_pages(size_t bytes, const char* what);
void release_pages(void* data, size_t bytes);

void retain(Block* block);
void release(Block* block);

// Bytes of all heap blocks that are alive (weights, optimizer state). Slabs of arenas are pages.
int64_t heap_bytes_alive();

}  // namespace keel
