// The one file that includes cuBLASLt.
#include "backend/cpu/gemm.h"

#include <cublasLt.h>
#include <fmt/format.h>

#include <array>
#include <map>
#include <memory>
#include <source_location>
#include <tuple>
#include <type_traits>
#include <utility>

#include "backend/cuda/gemm.cuh"
#include "core/error.h"

namespace keel {
namespace {

constexpr size_t kWorkspaceBytes = size_t{32} << 20;

void lt_check(cublasStatus_t status, std::source_location where = std::source_location::current()) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw DeviceError(fmt::format("cublasLt: {} ({}:{})", cublasLtGetStatusString(status),
                                where.file_name(), where.line()));
}

// A cuBLASLt object with its destructor.
template <class T>
using Handle = std::unique_ptr<std::remove_pointer_t<T>, cublasStatus_t (*)(T)>;

cudaDataType_t type_of(const Tensor& x) {
  return x.dtype() == DType::kBf16 ? CUDA_R_16BF : CUDA_R_32F;
}

// The largest power of two, up to 256, that divides an address and a row's bytes.
uint32_t alignment(const Tensor& x) {
  const size_t both = reinterpret_cast<size_t>(x.raw()) |
                      static_cast<size_t>(x.stride(0)) * size_of(x.dtype()) | 256;
  return static_cast<uint32_t>(both & -both);
}

Handle<cublasLtMatrixLayout_t> layout(const Tensor& x) {
  cublasLtMatrixLayout_t made = nullptr;
  // A row-major [r, c] is cuBLAS's column-major [c, r].
  lt_check(cublasLtMatrixLayoutCreate(&made, type_of(x), static_cast<uint64_t>(x.dim(1)),
                                      static_cast<uint64_t>(x.dim(0)), x.stride(0)));
  return {made, cublasLtMatrixLayoutDestroy};
}

using Key = std::tuple<std::array<int64_t, 6>, std::array<uint32_t, 3>, std::array<int, 5>>;

Key key_of(const Gemm& g) {
  return {{g.c.dim(0), g.c.dim(1), g.a.dim(g.a_transposed ? 0 : 1), g.a.stride(0), g.b.stride(0),
           g.c.stride(0)},
          {alignment(g.a), alignment(g.b), alignment(g.c)},
          {g.a_transposed, g.b_transposed, g.accumulate, type_of(g.a), type_of(g.c)}};
}

struct Plan {
  Handle<cublasLtMatmulDesc_t> product;
  Handle<cublasLtMatrixLayout_t> a, b, c;
  cublasLtMatmulAlgo_t algorithm{};
};

}  // namespace

struct GemmPlans {
  Handle<cublasLtHandle_t> handle{nullptr, cublasLtDestroy};
  void* workspace = nullptr;  // lives as long as the process, like the context
  std::map<Key, Plan> plans;
};

std::unique_ptr<GemmPlans, void (*)(GemmPlans*)> make_gemm_plans() {
  std::unique_ptr<GemmPlans, void (*)(GemmPlans*)> made(new GemmPlans,
                                                        [](GemmPlans* p) { delete p; });
  cublasLtHandle_t handle = nullptr;
  lt_check(cublasLtCreate(&handle));
  made->handle.reset(handle);
  cuda_check(cudaMalloc(&made->workspace, kWorkspaceBytes));
  return made;
}

namespace {

template <class T>
void set(cublasLtMatmulPreference_t to, cublasLtMatmulPreferenceAttributes_t what, T value) {
  lt_check(cublasLtMatmulPreferenceSetAttribute(to, what, &value, sizeof(value)));
}

// c^T = op(b)^T op(a)^T: in column-major terms the first operand is b, the second a.
Plan make_plan(cublasLtHandle_t handle, const Gemm& g) {
  cublasLtMatmulDesc_t made = nullptr;
  lt_check(cublasLtMatmulDescCreate(&made, CUBLAS_COMPUTE_32F, CUDA_R_32F));
  Plan plan{{made, cublasLtMatmulDescDestroy}, layout(g.b), layout(g.a), layout(g.c)};
  const cublasOperation_t first = g.b_transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
  const cublasOperation_t second = g.a_transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
  lt_check(
      cublasLtMatmulDescSetAttribute(made, CUBLASLT_MATMUL_DESC_TRANSA, &first, sizeof(first)));
  lt_check(
      cublasLtMatmulDescSetAttribute(made, CUBLASLT_MATMUL_DESC_TRANSB, &second, sizeof(second)));

  cublasLtMatmulPreference_t wish = nullptr;
  lt_check(cublasLtMatmulPreferenceCreate(&wish));
  const Handle<cublasLtMatmulPreference_t> owner(wish, cublasLtMatmulPreferenceDestroy);
  set(wish, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, kWorkspaceBytes);
  set(wish, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignment(g.b));
  set(wish, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignment(g.a));
  set(wish, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, alignment(g.c));
  set(wish, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, alignment(g.c));
  cublasLtMatmulHeuristicResult_t best{};
  int found = 0;
  const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(
      handle, made, plan.a.get(), plan.b.get(), plan.c.get(), plan.c.get(), wish, 1, &best, &found);
  if (status != CUBLAS_STATUS_SUCCESS || found == 0) {
    throw DeviceError(fmt::format("gemm on cuda: cuBLASLt has no way to make {} from {} and {}",
                                  g.c.shape().str(), g.a.shape().str(), g.b.shape().str()));
  }
  plan.algorithm = best.algo;
  return plan;
}

void multiply(Cuda& dev, const Gemm& g) {
  GemmPlans& plans = dev.context->gemm_plans();
  const Key key = key_of(g);
  auto found = plans.plans.find(key);
  if (found == plans.plans.end()) {
    found = plans.plans.emplace(key, make_plan(plans.handle.get(), g)).first;
  }
  const Plan& plan = found->second;
  const float alpha = 1.0f, beta = g.accumulate ? 1.0f : 0.0f;
  lt_check(cublasLtMatmul(plans.handle.get(), plan.product.get(), &alpha, g.b.raw(), plan.a.get(),
                          g.a.raw(), plan.b.get(), &beta, g.c.raw(), plan.c.get(), g.c.raw(),
                          plan.c.get(), &plan.algorithm, plans.workspace, kWorkspaceBytes,
                          stream_of(dev)));
}

}  // namespace

void gemm(Cuda& dev, const Gemm& g) {
  const int64_t m = g.c.dim(0), n = g.c.dim(1), k = g.a.dim(g.a_transposed ? 0 : 1);
  if (m == 0 || n == 0) return;
  // A bf16 result is rounded once, after the bias: its product goes to f32 first.
  const bool wide = g.bias && g.c.dtype() == DType::kBf16 && k > 0;
  Gemm product = g;
  if (wide) {
    product.c = empty({m, n}, DType::kF32, DeviceKind::kCuda);
    product.accumulate = false;
  }
  if (k > 0) {
    multiply(dev, product);
  } else if (!g.accumulate) {
    const size_t element = size_of(g.c.dtype());
    cuda_check(cudaMemset2DAsync(g.c.raw(), static_cast<size_t>(g.c.stride(0)) * element, 0,
                                 static_cast<size_t>(n) * element, static_cast<size_t>(m),
                                 stream_of(dev)));
  }
  if (g.bias) add_bias(dev, wide ? product.c : Tensor(), g.bias, g.c, wide && g.accumulate);
}

void gemm_pair(Cuda& dev, const Gemm& first, const Gemm& second) {
  gemm(dev, first);
  gemm(dev, second);
}

}  // namespace keel
