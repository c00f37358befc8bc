// Working memory of kernels that lives as long as the process: one buffer for each worker, one that
// all workers share (packed weights). A buffer has one user at a time: what a kernel left there is
// gone when the next one runs. Sizes only grow, and are reserved before a parallel region.
#pragma once

#include <cstddef>
#include <cstdint>

namespace keel {

// Makes sure that every worker has that many bytes. Call outside parallel regions, with the same
// number each time for the same shapes: after the first call it allocates nothing.
void reserve_worker_scratch(size_t bytes);
// This worker's buffer, 64-byte aligned, uninitialised; at least the `bytes` that were reserved.
void* worker_scratch(size_t bytes);
inline float* worker_floats(size_t n) {
  return static_cast<float*>(worker_scratch(n * sizeof(float)));
}

// The buffer that all workers share. Call outside parallel regions.
void* shared_scratch(size_t bytes);

// Bytes held by all of these now.
int64_t scratch_bytes();

}  // namespace keel
