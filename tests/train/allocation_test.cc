// A step whose shapes were seen before allocates nothing of ours, and memory stays flat. malloc and
// its kin are replaced in this program by ones that count; what oneDNN allocates while it executes
// a primitive is its own and not counted.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <utility>

#include "io/temp_dir.h"
#include "small_run.h"

namespace {

std::atomic<bool> counting{false};
std::atomic<int64_t> allocations{0};
thread_local bool inside_onednn = false;

void count() {
  if (counting.load(std::memory_order_relaxed) && !inside_onednn) allocations.fetch_add(1);
}

}  // namespace

#ifndef KEEL_SANITIZED
extern "C" {

void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);

void* malloc(size_t n) noexcept {
  count();
  return __libc_malloc(n);
}
void* calloc(size_t n, size_t size) noexcept {
  count();
  return __libc_calloc(n, size);
}
void* realloc(void* p, size_t n) noexcept {
  count();
  return __libc_realloc(p, n);
}
void* aligned_alloc(size_t align, size_t n) noexcept {
  count();
  return __libc_memalign(align, n);
}
int posix_memalign(void** p, size_t align, size_t n) noexcept {
  count();
  *p = __libc_memalign(align, n);
  return *p ? 0 : 12;
}
void* mmap(void* at, size_t n, int protection, int flags, int fd, off_t offset) noexcept {
  count();
  using Mmap = void* (*)(void*, size_t, int, int, int, off_t);
  static const auto real = reinterpret_cast<Mmap>(dlsym(RTLD_NEXT, "mmap"));
  return real(at, n, protection, flags, fd, offset);
}

int dnnl_primitive_execute(const void* primitive, void* stream, int n, const void* args) {
  using Execute = int (*)(const void*, void*, int, const void*);
  static const auto real = reinterpret_cast<Execute>(dlsym(RTLD_NEXT, "dnnl_primitive_execute"));
  inside_onednn = true;
  const int status = real(primitive, stream, n, args);
  inside_onednn = false;
  return status;
}

}  // extern "C"
#endif

namespace keel::test {
namespace {

template <class F>
int64_t allocations_in(F&& f) {
  allocations.store(0);
  counting.store(true);
  f();
  counting.store(false);
  return allocations.load();
}

class Allocation : public InDType {
 protected:
  void SetUp() override {
    InDType::SetUp();
#ifdef KEEL_SANITIZED
    GTEST_SKIP() << "the sanitizer has replaced malloc";
#endif
  }
};
INSTANTIATE_TEST_SUITE_P(Train, Allocation, kDTypes, dtype_suffix);

TEST_P(Allocation, IsCounted) {
  EXPECT_EQ(allocations_in([] { ::operator delete(::operator new(24)); }), 1);
  EXPECT_EQ(allocations_in([] { persistent({1 << 20}, DType::kF32, DeviceKind::kCpu, "it"); }), 2);
}

void expect_none_in_later_steps(const std::string& toml, const std::vector<std::string>& sets,
                                DType compute) {
  SmallRun run(toml, sets, compute);
  for (int64_t i = 0; i < 4; ++i) run->step();  // with and without probes, twice each
  for (int64_t i = 0; i < 6; ++i) {
    EXPECT_EQ(allocations_in([&] { run->step(); }), 0) << "step " << i + 5;
  }
}

TEST_P(Allocation, NoneInAStepSeenBefore) {
  expect_none_in_later_steps(kMarkovRun, {"log.probes=2"}, GetParam());
  expect_none_in_later_steps(
      kMarkovRun,
      {"log.probes=2", "model.dropout=0.1", "model.bias=true", "model.norm.kind=layer",
       "model.position.kind=learned", "model.ffn.kind=gelu", "model.placement.kind=post",
       "model.tied=false", "model.attention.qk_norm.kind=layer", "train.accumulate=3",
       "train.ema=0.5"},
      GetParam());
}

TEST_P(Allocation, NoneWithAnyOptimizerOrClip) {
  for (const std::string& kind : optimizers().names()) {
    expect_none_in_later_steps(kMarkovRun, {"log.probes=2", "optim.kind=" + kind}, GetParam());
  }
  for (const std::string& kind : clips().names()) {
    expect_none_in_later_steps(kMarkovRun, {"log.probes=2", "clip.kind=" + kind}, GetParam());
  }
  expect_none_in_later_steps(
      kMarkovRun, {"log.probes=2", "optim.qk_clip.tau=0.01", "optim.update_clip=0.1"}, GetParam());
}

TEST_P(Allocation, NoneInAnyBlock) {
  expect_none_in_later_steps(kMarkovRun,
                             {"model.placement.kind=residual_dual", "model.norm.kind=dyt",
                              "model.residual.kind=layer_scale", "model.biases.v=on"},
                             GetParam());
  expect_none_in_later_steps(
      kMarkovRun,
      {"model.placement.kind=scaled", "model.norm={kind='batch', allow_leak=true}",
       "model.residual.kind=rezero", "model.embedding_norm.kind=prms", "model.bias=true"},
      GetParam());
  expect_none_in_later_steps(
      kMarkovRun, {"model.placement.kind=deepnorm", "model.norm={kind='l2', zero_centred=true}"},
      GetParam());
}

// The pool's threads, several sources whose losses are told apart, documents kept apart.
TEST_P(Allocation, NoneWithSourcesAndDocuments) {
  const TempDir dir;
  for (const char* name : {"a.jsonl", "b.jsonl"}) {
    std::string lines;
    for (int i = 0; i < 40; ++i) lines += "{\"text\": \"number " + std::to_string(i) + "\"}\n";
    real_fs().write_file(dir / name, lines);
  }
  const std::string toml =
      "[model]\ndim = 32\nlayers = 1\ncontext = 16\n"
      "[data]\nkind = \"jsonl\"\ndocument_mask = true\nsources = [{path = \"" +
      (dir / "a.jsonl") + "\", weight = 0.5}, {path = \"" + (dir / "b.jsonl") +
      "\", weight = 0.5}]\n[train]\nbatch = 2\n" + "[log]\nprobes = 2\n";
  const Threads in_force(3);
  expect_none_in_later_steps(toml, {}, GetParam());
}

int64_t resident_bytes() {
  long pages = 0, resident = 0;
  std::FILE* f = std::fopen("/proc/self/statm", "r");
  if (!f) return 0;
  const int read = std::fscanf(f, "%ld %ld", &pages, &resident);
  std::fclose(f);
  return read == 2 ? resident * sysconf(_SC_PAGESIZE) : 0;
}

TEST_P(Allocation, MemoryIsFlatOverAThousandSteps) {
  const Threads in_force(2);
  SmallRun run(kMarkovRun,
               {"model.dim=16", "model.layers=1", "model.context=8", "train.steps=1200"},
               GetParam());
  for (int64_t i = 0; i < 200; ++i) run->step();
  const int64_t before = resident_bytes(), blocks = heap_bytes_alive();
  ASSERT_GT(before, 0);
  for (int64_t i = 0; i < 1000; ++i) run->step();
  EXPECT_LE(resident_bytes() - before, 64 << 10);
  EXPECT_EQ(heap_bytes_alive(), blocks);
}

}  // namespace
}  // namespace keel::test
