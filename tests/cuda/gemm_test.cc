#include "backend/cpu/gemm.h"

#include <fmt/format.h>

#include "cuda/cuda_test.h"

namespace keel {
namespace {

struct Case {
  int64_t m, n, k;
  bool a_transposed, b_transposed, accumulate, bias;
  DType in, out;
};

std::string name(const Case& t) {
  return fmt::format("{} x {} x {}, transposed {} {}, accumulate {}, bias {}, {} to {}", t.m, t.n,
                     t.k, t.a_transposed, t.b_transposed, t.accumulate, t.bias, name_of(t.in),
                     name_of(t.out));
}

class CudaGemm : public CudaTest {
 protected:
  void check(const Case& t) {
    Gemm g{.a = values(t.a_transposed ? Shape{t.k, t.m} : Shape{t.m, t.k}, t.in),
           .b = values(t.b_transposed ? Shape{t.n, t.k} : Shape{t.k, t.n}, t.in),
           .c = values({t.m, t.n}, t.out),
           .a_transposed = t.a_transposed,
           .b_transposed = t.b_transposed,
           .accumulate = t.accumulate,
           .bias = t.bias ? values({t.n}) : Tensor()};
    Gemm on{g};
    on.a = on_gpu(g.a);
    on.b = on_gpu(g.b);
    on.c = on_gpu(g.c);
    on.bias = on_gpu(g.bias);
    gemm(cpu(), g);
    gemm(cuda(), on);
    expect_close(on.c, g.c, name(t));
  }
};

TEST_F(CudaGemm, EveryFormEqualsTheCpu) {
  for (int form = 0; form < 16; ++form) {
    for (const auto& [m, n, k] : {std::array<int64_t, 3>{1, 1, 1},
                                  {7, 13, 5},
                                  {128, 96, 64},
                                  {257, 300, 129},
                                  {0, 4, 3},
                                  {3, 4, 0}}) {
      Case t{m,
             n,
             k,
             (form & 1) != 0,
             (form & 2) != 0,
             (form & 4) != 0,
             (form & 8) != 0,
             DType::kF32,
             DType::kF32};
      check(t);
      if (!cpu_has_bf16()) continue;
      t.in = DType::kBf16;
      check(t);
      t.out = DType::kBf16;
      check(t);
    }
  }
}

TEST_F(CudaGemm, RowsMayLieApart) {
  const Tensor a = values({9, 40}), b = values({40, 24}), c = values({9, 50});
  const Tensor a_gpu = on_gpu(a), b_gpu = on_gpu(b), c_gpu = on_gpu(c);
  const auto product = [](const Tensor& x, const Tensor& y, const Tensor& z) {
    return Gemm{.a = x.slice(1, 3, 20), .b = y.slice(0, 5, 22), .c = z.slice(1, 7, 31)};
  };
  gemm(cpu(), product(a, b, c));
  gemm(cuda(), product(a_gpu, b_gpu, c_gpu));
  expect_close(c_gpu, c, "slices");
}

}  // namespace
}  // namespace keel
