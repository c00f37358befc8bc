#include "backend/cpu/gemm.h"

#include <cpuid.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "backend/cpu/scratch.h"
#include "core/error.h"
#include "core/parallel.h"

extern "C" void omp_set_num_threads(int);  // of oneDNN's own OpenMP runtime

namespace keel {
namespace {

using dnnl::memory;

// What a primitive is made for. Strides count elements.
struct Key {
  int64_t m, n, k, lda, ldb, ldc;
  bool a_transposed, b_transposed, accumulate, bias;
  DType in, out;
  GemmCut cut;
  bool operator==(const Key&) const = default;
};

struct KeyHash {
  size_t operator()(const Key& x) const {
    uint64_t h = 0;
    for (int64_t v :
         {x.m, x.n, x.k, x.lda, x.ldb, x.ldc,
          int64_t(x.a_transposed) | int64_t(x.b_transposed) << 1 | int64_t(x.accumulate) << 2 |
              int64_t(x.bias) << 3 | int64_t(x.in) << 4 | int64_t(x.out) << 6 |
              int64_t(x.cut.rows) << 16 | int64_t(x.cut.columns) << 32 | int64_t(x.cut.pack) << 48 |
              int64_t(x.cut.turn) << 49}) {
      h = (h ^ static_cast<uint64_t>(v)) * 0x9E3779B97F4A7C15ull;
      h ^= h >> 29;
    }
    return h;
  }
};

// Some virtual machines offer AMX but hide its tile palettes (CPUID leaf 0x1D). oneDNN's AMX
// kernels die of an illegal instruction there, so they are ruled out before its first use.
bool amx_is_broken() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  const bool amx = __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d >> 24 & 1);
  return amx && !(__get_cpuid_count(0x1D, 1, &a, &b, &c, &d) && a != 0);
}

// oneDNN fixes its instruction set when it is first asked for it.
bool asked_below_amx() {
  for (const char* name : {"ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"}) {
    const char* value = std::getenv(name);
    if (!value) continue;
    const std::string_view isa = value;
    return isa != "ALL" && isa != "DEFAULT" && isa.find("AMX") == isa.npos;
  }
  return false;
}

dnnl::cpu_isa usable_isa() {
  static const dnnl::cpu_isa isa = [] {
    if (amx_is_broken() && !asked_below_amx()) {
      dnnl::set_max_cpu_isa(dnnl::cpu_isa::avx512_core_bf16);
    }
    return dnnl::get_effective_cpu_isa();
  }();
  return isa;
}

// Never destroyed: a worker that first runs while the process ends still asks for it.
dnnl::engine& engine() {
  static auto* e = [] {
    usable_isa();
    return new dnnl::engine(dnnl::engine::kind::cpu, 0);
  }();
  return *e;
}

dnnl::stream& stream() {
  static thread_local dnnl::stream s(engine());
  return s;
}

// Primitives are made and run with one thread in force.
void ready_this_thread() {
  omp_set_num_threads(1);
  stream();
}

void ready() {
  static const bool once = [] {
    on_every_worker(ready_this_thread);
    return true;
  }();
  (void)once;
}

memory::data_type type_of(DType t) {
  return t == DType::kBf16 ? memory::data_type::bf16 : memory::data_type::f32;
}

memory::desc matrix(int64_t rows, int64_t columns, DType type, int64_t ld, bool transposed) {
  const memory::dims strides = transposed ? memory::dims{1, ld} : memory::dims{ld, 1};
  return memory::desc({rows, columns}, type_of(type), strides);
}

size_t offset_bytes(int64_t row, int64_t column, DType type, int64_t ld, bool transposed) {
  const int64_t at = transposed ? column * ld + row : row * ld + column;
  return static_cast<size_t>(at) * size_of(type);
}

dnnl::matmul::primitive_desc describe(const memory::desc& a, const memory::desc& b,
                                      const memory::desc& bias, const memory::desc& c,
                                      bool accumulate) {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  if (accumulate) {
    dnnl::post_ops ops;
    ops.append_sum(1.0f);
    attr.set_post_ops(ops);
  }
#if DNNL_VERSION_MAJOR >= 3
  return bias.get_ndims() ? dnnl::matmul::primitive_desc(engine(), a, b, bias, c, attr)
                          : dnnl::matmul::primitive_desc(engine(), a, b, c, attr);
#else
  const auto desc =
      bias.data.ndims ? dnnl::matmul::desc(a, b, bias, c) : dnnl::matmul::desc(a, b, c);
  return dnnl::matmul::primitive_desc(desc, attr, engine());
#endif
}

// One piece of the output, [m, n] of it at a fixed place. Its memory objects are its own, so that
// any thread can run it; only their pointers change from call to call.
struct Slice {
  dnnl::matmul product;
  memory a, b, c, bias, scratch;
  size_t a_at = 0, b_at = 0, c_at = 0, bias_at = 0, packed_at = 0, scratch_bytes = 0;
  int column = 0;
  // With GemmCut::turn: a as it lies in memory, its reorder, and its bytes by rows.
  dnnl::reorder turn;
  memory a_from;
  size_t turned_bytes = 0;

  size_t worker_bytes() const { return turned_bytes + scratch_bytes; }
};

// The reorder of one column slice of b into oneDNN's own layout.
struct Packing {
  dnnl::reorder reorder;
  memory from, to;
  size_t from_at = 0, to_at = 0;
};

struct Plan {
  std::vector<Slice> slices;
  std::vector<Packing> packings;
  size_t packed_bytes = 0;
  size_t scratch_bytes = 0;  // for each worker
};

void run(dnnl_primitive_t primitive, const dnnl_exec_arg_t* args, int n) {
  const dnnl_status_t s = dnnl_primitive_execute(primitive, stream().get(), n, args);
  if (s == dnnl_out_of_memory) throw MemoryError("not enough memory for a product in oneDNN");
  if (s != dnnl_success) throw Error(fmt::format("gemm: oneDNN returned status {}", int(s)), 1);
}

int64_t cut_point(int64_t size, int parts, int part, int64_t unit) {
  const int64_t units = (size + unit - 1) / unit;
  return std::min(size, units * part / parts * unit);
}

constexpr int64_t kRowUnit = 8, kColumnUnit = 16;

class Planner {
 public:
  explicit Planner(const Key& k) : k_(k) {}

  std::unique_ptr<Plan> make() {
    for (int j = 0; j < k_.cut.columns; ++j) add_column(j);
    return std::move(plan_);
  }

 private:
  void add_column(int j) {
    const int64_t n0 = cut_point(k_.n, k_.cut.columns, j, kColumnUnit);
    const int64_t n1 = cut_point(k_.n, k_.cut.columns, j + 1, kColumnUnit);
    if (n0 == n1) return;
    memory::desc packed;
    for (int i = 0; i < k_.cut.rows; ++i) {
      const int64_t m0 = cut_point(k_.m, k_.cut.rows, i, kRowUnit);
      const int64_t m1 = cut_point(k_.m, k_.cut.rows, i + 1, kRowUnit);
      if (m0 < m1) add_slice(m0, m1, n0, n1, packed);
    }
    if (k_.cut.pack) add_packing(n0, n1, packed);
  }

  void add_slice(int64_t m0, int64_t m1, int64_t n0, int64_t n1, memory::desc& packed) {
    const int64_t m = m1 - m0, n = n1 - n0;
    const auto a_from = matrix(m, k_.k, k_.in, k_.lda, k_.a_transposed);
    // A line more than k, so that rows do not all fall on the same cache sets.
    const auto a = k_.cut.turn ? matrix(m, k_.k, k_.in, k_.k + kColumnUnit, false) : a_from;
    const auto plain = matrix(k_.k, n, k_.in, k_.ldb, k_.b_transposed);
    const auto c = matrix(m, n, k_.out, k_.ldc, false);
    memory::desc bias;
    if (k_.bias) bias = memory::desc({1, n}, memory::data_type::f32, memory::dims{n, 1});
    auto b = plain;
    if (k_.cut.pack) {
      b = m0 == 0 ? memory::desc({k_.k, n}, type_of(k_.in), memory::format_tag::any) : packed;
    }
    const auto d = describe(a, b, bias, c, k_.accumulate);
    if (k_.cut.pack && m0 == 0) packed = d.weights_desc();
    Slice s;
    s.product = dnnl::matmul(d);
    s.a = memory(a, engine(), nullptr);
    s.b = memory(k_.cut.pack ? packed : plain, engine(), nullptr);
    s.c = memory(c, engine(), nullptr);
    if (k_.bias) s.bias = memory(bias, engine(), nullptr);
    s.scratch = memory(d.scratchpad_desc(), engine(), nullptr);
    s.scratch_bytes = d.scratchpad_desc().get_size();
    if (k_.cut.turn) {
      s.a_from = memory(a_from, engine(), nullptr);
      s.turn = dnnl::reorder(s.a_from, s.a);
      s.turned_bytes = (a.get_size() + 63) / 64 * 64;
    }
    s.a_at = offset_bytes(m0, 0, k_.in, k_.lda, k_.a_transposed);
    s.b_at = offset_bytes(0, n0, k_.in, k_.ldb, k_.b_transposed);
    s.c_at = offset_bytes(m0, n0, k_.out, k_.ldc, false);
    s.bias_at = static_cast<size_t>(n0) * sizeof(float);
    s.packed_at = plan_->packed_bytes;
    plan_->scratch_bytes = std::max(plan_->scratch_bytes, s.worker_bytes());
    s.column = static_cast<int>(plan_->packings.size());
    plan_->slices.push_back(std::move(s));
  }

  void add_packing(int64_t n0, int64_t n1, const memory::desc& packed) {
    const auto plain = matrix(k_.k, n1 - n0, k_.in, k_.ldb, k_.b_transposed);
    Packing p;
    p.from = memory(plain, engine(), nullptr);
    p.to = memory(packed, engine(), nullptr);
    p.reorder = dnnl::reorder(p.from, p.to);
    p.from_at = offset_bytes(0, n0, k_.in, k_.ldb, k_.b_transposed);
    p.to_at = plan_->packed_bytes;
    plan_->packed_bytes += (packed.get_size() + 63) / 64 * 64;
    plan_->packings.push_back(std::move(p));
  }

  const Key& k_;
  std::unique_ptr<Plan> plan_ = std::make_unique<Plan>();
};

Plan& plan_for(const Key& key) {
  static std::unordered_map<Key, std::unique_ptr<Plan>, KeyHash> plans;
  auto& plan = plans[key];
  if (!plan) {
    try {
      plan = Planner(key).make();
    } catch (const dnnl::error& e) {
      plans.erase(key);
      if (e.status == dnnl_out_of_memory) {
        throw MemoryError(fmt::format("not enough memory for a product of {} x {} x {} in oneDNN",
                                      key.m, key.n, key.k));
      }
      throw DeviceError(fmt::format("gemm: oneDNN {} has no {} product of {} x {} x {}: {}",
                                    onednn_version(), name_of(key.in), key.m, key.n, key.k,
                                    e.what()));
    }
  }
  return *plan;
}

void set(memory& m, const void* p) { dnnl_memory_set_data_handle(m.get(), const_cast<void*>(p)); }

void reorder(dnnl::reorder& primitive, memory& from, memory& to) {
  const std::array<dnnl_exec_arg_t, 2> args{dnnl_exec_arg_t{DNNL_ARG_FROM, from.get()},
                                            {DNNL_ARG_TO, to.get()}};
  run(primitive.get(), args.data(), 2);
}

void pack(Packing& p, const char* b, char* packed) {
  set(p.from, b + p.from_at);
  set(p.to, packed + p.to_at);
  reorder(p.reorder, p.from, p.to);
}

struct Operands {
  const char *a, *b;
  char* c;
  const char* bias;
  char* packed;
};

void multiply(Slice& s, const Operands& o) {
  char* scratch = static_cast<char*>(worker_scratch(s.worker_bytes()));
  if (s.turned_bytes) {
    set(s.a_from, o.a + s.a_at);
    set(s.a, scratch);
    reorder(s.turn, s.a_from, s.a);
  } else {
    set(s.a, o.a + s.a_at);
  }
  set(s.b, o.packed ? o.packed + s.packed_at : o.b + s.b_at);
  set(s.c, o.c + s.c_at);
  if (o.bias) set(s.bias, o.bias + s.bias_at);
  set(s.scratch, scratch + s.turned_bytes);
  std::array<dnnl_exec_arg_t, 5> args{dnnl_exec_arg_t{DNNL_ARG_SRC, s.a.get()},
                                      {DNNL_ARG_WEIGHTS, s.b.get()},
                                      {DNNL_ARG_DST, s.c.get()},
                                      {DNNL_ARG_SCRATCHPAD, s.scratch.get()},
                                      {DNNL_ARG_BIAS, nullptr}};
  if (o.bias) args[4].memory = s.bias.get();
  run(s.product.get(), args.data(), o.bias ? 5 : 4);
}

// A product that is ready to run. Packings of one column for several slices run before them, others
// with their slice.
struct Job {
  Plan* plan;
  Operands o;
  bool pack_first;

  int64_t slices() const { return static_cast<int64_t>(plan->slices.size()); }
  int64_t packings() const { return pack_first ? static_cast<int64_t>(plan->packings.size()) : 0; }
  void pack_column(int64_t j) const { pack(plan->packings[static_cast<size_t>(j)], o.b, o.packed); }
  void run_slice(int64_t i) const {
    Slice& s = plan->slices[static_cast<size_t>(i)];
    if (o.packed && !pack_first) pack_column(s.column);
    multiply(s, o);
  }
};

// Independent products in one region.
void execute(std::span<Job> jobs) {
  size_t packed = 0, scratch = 0;
  int64_t packings = 0, slices = 0;
  for (const Job& j : jobs) {
    packed += j.plan->packed_bytes;
    scratch = std::max(scratch, j.plan->scratch_bytes);
    packings += j.packings();
    slices += j.slices();
  }
  if (packed) {
    char* at = static_cast<char*>(shared_scratch(packed));
    for (Job& j : jobs) {
      if (j.plan->packed_bytes) j.o.packed = at;
      at += j.plan->packed_bytes;
    }
  }
  reserve_worker_scratch(scratch);
  parallel_for(packings, [&](int64_t i) {
    const Job* j = jobs.data();
    for (; i >= j->packings(); ++j) i -= j->packings();
    j->pack_column(i);
  });
  parallel_for(slices, [&](int64_t i) {
    const Job* j = jobs.data();
    for (; i >= j->slices(); ++j) i -= j->slices();
    j->run_slice(i);
  });
}

void check(const Gemm& g, int64_t m, int64_t n, int64_t k) {
  const int64_t a_m = g.a.dim(g.a_transposed ? 1 : 0), a_k = g.a.dim(g.a_transposed ? 0 : 1);
  const int64_t b_k = g.b.dim(g.b_transposed ? 1 : 0), b_n = g.b.dim(g.b_transposed ? 0 : 1);
  if (g.bias && (g.bias.dtype() != DType::kF32 || g.bias.shape() != Shape{n})) {
    throw ShapeError(fmt::format("gemm: bias is {} ({}), c {} needs f32 [{}]", g.bias.shape().str(),
                                 name_of(g.bias.dtype()), g.c.shape().str(), n));
  }
  for (const Tensor* x : {&g.a, &g.b, &g.c}) {
    if (x->dim(1) > 1 && x->stride(1) != 1) {
      throw ShapeError("gemm: the rows of a, b and c must be contiguous");
    }
  }
  if (a_m == m && b_n == n && a_k == k && b_k == k && g.a.dtype() == g.b.dtype()) return;
  throw ShapeError(fmt::format("gemm: a {}{} ({}) times b {}{} ({}) does not make c {}",
                               g.a.shape().str(), g.a_transposed ? "^T" : "", name_of(g.a.dtype()),
                               g.b.shape().str(), g.b_transposed ? "^T" : "", name_of(g.b.dtype()),
                               g.c.shape().str()));
}

// A product without terms: what is left is the bias and what c was.
void add_nothing(const Gemm& g) {
  with_dtype(g.c.dtype(), [&]<class T> {
    for (int64_t i = 0; i < g.c.dim(0); ++i) {
      T* c = g.c.data<T>() + i * g.c.stride(0);
      for (int64_t j = 0; j < g.c.dim(1); ++j) {
        const float was = g.accumulate ? static_cast<float>(c[j]) : 0.0f;
        c[j] = T(was + (g.bias ? g.bias.data<float>()[j] : 0.0f));
      }
    }
  });
}

}  // namespace

namespace {

GemmCut cut_of(const Gemm& g) {
  const int64_t k = g.a.dim(g.a_transposed ? 0 : 1);
  const GemmForm form = gemm_form(g.a_transposed, g.b_transposed);
  return gemm_cut(g.c.dim(0), g.c.dim(1), k, form, g.a.dtype());
}

// Nothing if the product is empty; then it is done already.
std::optional<Job> prepare(const Gemm& g, GemmCut cut) {
  const int64_t m = g.c.dim(0), n = g.c.dim(1), k = g.a.dim(g.a_transposed ? 0 : 1);
  check(g, m, n, k);
  if (m == 0 || n == 0) return {};
  if (k == 0) {
    add_nothing(g);
    return {};
  }
  ready();
  const Key key{m,
                n,
                k,
                g.a.stride(0),
                g.b.stride(0),
                g.c.stride(0),
                g.a_transposed,
                g.b_transposed,
                g.accumulate,
                static_cast<bool>(g.bias),
                g.a.dtype(),
                g.c.dtype(),
                cut};
  return Job{&plan_for(key),
             {g.a.data<char>(), g.b.data<char>(), g.c.data<char>(),
              g.bias ? g.bias.data<char>() : nullptr, nullptr},
             cut.rows > 1};
}

}  // namespace

void gemm_with_cut(Cpu&, const Gemm& g, GemmCut cut) {
  std::optional<Job> job = prepare(g, cut);
  if (job) execute({&*job, 1});
}

void gemm(Cpu& dev, const Gemm& g) { gemm_with_cut(dev, g, cut_of(g)); }

void gemm_pair(Cpu&, const Gemm& first, const Gemm& second) {
  std::array<Job, 2> jobs;
  size_t n = 0;
  for (const Gemm* g : {&first, &second}) {
    if (std::optional<Job> job = prepare(*g, cut_of(*g))) jobs[n++] = *job;
  }
  execute({jobs.data(), n});
}

bool cpu_has_bf16() {
  switch (usable_isa()) {
    case dnnl::cpu_isa::avx512_core_bf16:
    case dnnl::cpu_isa::avx512_core_amx:
      return true;
    default:
      return static_cast<int>(usable_isa()) > static_cast<int>(dnnl::cpu_isa::avx512_core_bf16);
  }
}

std::string onednn_version() {
  const dnnl_version_t* v = dnnl_version();
  return fmt::format("{}.{}.{}", v->major, v->minor, v->patch);
}

std::string onednn_isa() {
  switch (usable_isa()) {
    case dnnl::cpu_isa::avx2:
      return "avx2";
    case dnnl::cpu_isa::avx512_core:
      return "avx512_core";
    case dnnl::cpu_isa::avx512_core_vnni:
      return "avx512_core_vnni";
    case dnnl::cpu_isa::avx512_core_bf16:
      return "avx512_core_bf16";
    case dnnl::cpu_isa::avx512_core_amx:
      return "avx512_core_amx";
    default:
      return fmt::format("isa {}", static_cast<int>(usable_isa()));
  }
}

}  // namespace keel
