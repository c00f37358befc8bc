#include "core/parallel.h"

#include <fmt/format.h>
#include <immintrin.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "core/error.h"

namespace keel {
namespace {

constexpr int kSpins = 4000;  // about 100 microseconds before a worker sleeps

constexpr int kMaxHooks = 8;
std::atomic<void (*)()> worker_hooks[kMaxHooks];
std::atomic<int> n_hooks{0};

thread_local int this_worker = 0;
thread_local bool inside_region = false;

int cores_allowed() {
  cpu_set_t set;
  const int cores = sched_getaffinity(0, sizeof set, &set) == 0
                        ? CPU_COUNT(&set)
                        : static_cast<int>(std::thread::hardware_concurrency());
  return std::clamp(cores, 1, kMaxThreads);
}

// Denormals cost hundreds of cycles each and mean nothing to training.
void flush_denormals() { _mm_setcsr(_mm_getcsr() | 0x8040); }

class Pool {
 public:
  explicit Pool(int threads) {
    flush_denormals();
    const int hooks = n_hooks.load();
    try {
      for (int i = 1; i < threads; ++i) {
        workers_.emplace_back([this, i, hooks] { work(i, hooks); });
      }
    } catch (const std::system_error& e) {
      stop();
      throw MemoryError(fmt::format("train.threads: cannot start {} threads ({}); choose fewer",
                                    threads, e.what()));
    }
  }
  ~Pool() { stop(); }
  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // every_thread: each thread runs the call exactly once.
  void run(int64_t chunks, void (*call)(void*, int64_t), void* context, bool every_thread) {
    call_ = call;
    context_ = context;
    chunks_ = chunks;
    every_thread_ = every_thread;
    next_.store(0, std::memory_order_relaxed);
    busy_.store(static_cast<int>(workers_.size()), std::memory_order_relaxed);
    epoch_.fetch_add(1);
    if (sleepers_.load() > 0) {
      std::lock_guard lock(mutex_);
      wake_.notify_all();
    }
    take(0);
    int spins = 0;
    while (busy_.load(std::memory_order_acquire) > 0) {
      _mm_pause();
      if (++spins > kSpins) std::this_thread::yield();
    }
    if (failed_.load()) {
      failed_.store(false);
      std::exception_ptr e = std::exchange(error_, nullptr);
      std::rethrow_exception(e);
    }
  }

 private:
  void take(int worker) {
    inside_region = true;
    try {
      if (every_thread_) {
        call_(context_, worker);
      } else {
        for (int64_t i; (i = next_.fetch_add(1, std::memory_order_relaxed)) < chunks_;) {
          call_(context_, i);
        }
      }
    } catch (...) {
      std::lock_guard lock(mutex_);
      if (!failed_.exchange(true)) error_ = std::current_exception();
      next_.store(chunks_);
    }
    inside_region = false;
  }

  void stop() {
    {
      std::lock_guard lock(mutex_);
      stop_.store(true);
      epoch_.fetch_add(1);
    }
    wake_.notify_all();
    for (auto& w : workers_) w.join();
  }

  // `hooks`: how many there were when the pool was made; of later ones the workers hear by run().
  void work(int index, int hooks) {
    this_worker = index;
    flush_denormals();
    for (int i = 0; i < hooks; ++i) worker_hooks[i].load()();
    uint64_t seen = 0;
    while (true) {
      wait_for_change(seen);
      ++seen;
      if (stop_.load()) return;
      take(index);
      busy_.fetch_sub(1, std::memory_order_release);
    }
  }

  void wait_for_change(uint64_t seen) {
    for (int i = 0; i < kSpins; ++i) {
      if (epoch_.load(std::memory_order_acquire) != seen) return;
      _mm_pause();
    }
    std::unique_lock lock(mutex_);
    sleepers_.fetch_add(1);
    wake_.wait(lock, [&] { return epoch_.load() != seen; });
    sleepers_.fetch_sub(1);
  }

  std::vector<std::thread> workers_;
  std::atomic<uint64_t> epoch_{0};
  std::atomic<int64_t> next_{0};
  std::atomic<int> busy_{0}, sleepers_{0};
  std::atomic<bool> stop_{false}, failed_{false};
  void (*call_)(void*, int64_t) = nullptr;
  void* context_ = nullptr;
  int64_t chunks_ = 0;
  bool every_thread_ = false;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::exception_ptr error_;
};

std::unique_ptr<Pool>& pool() {
  static std::unique_ptr<Pool> p = std::make_unique<Pool>(cores_allowed());
  return p;
}

}  // namespace

int num_threads() { return pool()->threads(); }

void set_num_threads(int n) {
  if (n < 0 || n > kMaxThreads) throw ConfigError("train.threads: must be between 0 and 256");
  if (n == 0) n = cores_allowed();
  if (n == num_threads()) return;
  pool() = std::make_unique<Pool>(1);  // the old threads end before new ones start
  pool() = std::make_unique<Pool>(n);
}

int worker_index() { return this_worker; }

void on_every_worker(void (*fn)()) {
  if (n_hooks.load() == kMaxHooks) throw Error("on_every_worker: at most 8 functions", 1);
  Pool& threads = *pool();
  worker_hooks[n_hooks.load()].store(fn);
  n_hooks.fetch_add(1);
  threads.run(
      0, [](void* f, int64_t) { reinterpret_cast<void (*)()>(f)(); }, reinterpret_cast<void*>(fn),
      true);
}

void detail::run_chunks(int64_t chunks, void (*call)(void*, int64_t), void* context) {
  if (chunks <= 0) return;
  if (chunks == 1 || inside_region || num_threads() == 1) {
    for (int64_t i = 0; i < chunks; ++i) call(context, i);
    return;
  }
  pool()->run(chunks, call, context, false);
}

}  // namespace keel
