// The one way to parallel work: a fixed pool of threads behind parallel_for. Chunks are numbered by
// the caller from the shape alone, never from the thread count, so that results have the same bits
// whatever the number of threads. Any thread may take any chunk.
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>

namespace keel {

// Threads that parallel_for uses, the caller included.
int num_threads();
// 0 means all cores that the process may run on. Call between parallel regions only. ConfigError
// out of range; MemoryError when the system starts no more threads, one is in force then.
void set_num_threads(int n);
// 0 on the calling thread, 1 .. num_threads() - 1 on workers; stable within a chunk.
int worker_index();
constexpr int kMaxThreads = 256;

// Runs fn on every thread of the pool, now and whenever threads are started later: a library that
// keeps per-thread settings registers itself here. At most 8 of them.
void on_every_worker(void (*fn)());

namespace detail {
void run_chunks(int64_t chunks, void (*call)(void*, int64_t), void* context);
}

// fn(chunk) for chunk in [0, chunks). The first exception thrown is rethrown here after all
// threads have stopped. Nested calls run inline.
template <class F>
void parallel_for(int64_t chunks, F&& fn) {
  using Fn = std::remove_reference_t<F>;
  detail::run_chunks(
      chunks, [](void* f, int64_t i) { (*static_cast<Fn*>(f))(i); },
      const_cast<void*>(static_cast<const void*>(std::addressof(fn))));
}

// fn(begin, end) over [0, n) cut into pieces of `grain` (the last one shorter).
template <class F>
void parallel_ranges(int64_t n, int64_t grain, F&& fn) {
  if (n <= 0) return;
  parallel_for((n + grain - 1) / grain, [&](int64_t c) {
    const int64_t begin = c * grain;
    fn(begin, begin + grain < n ? begin + grain : n);
  });
}

}  // namespace keel
