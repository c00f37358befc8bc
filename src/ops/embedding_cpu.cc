#include <fmt/format.h>

#include <algorithm>

#include "backend/vec.h"
#include "core/error.h"
#include "core/parallel.h"
#include "ops/copy.h"
#include "ops/embedding.h"

namespace keel::kernel {
namespace {

constexpr int64_t kColumns = 32;  // columns of a table that one thread adds to: two cache lines

int64_t position(const int32_t* segments, int64_t t, int64_t token, int64_t offset) {
  return offset + token % t - (segments ? segments[token] : 0);
}

template <class T, class P>
void forward(const EmbeddingFwd& a) {
  const int64_t t = a.tokens.dim(1), c = a.table.dim(1);
  const int32_t *tokens = a.tokens.data<int32_t>(), *segments = a.segments.data<int32_t>();
  const T* table = a.table.data<T>();
  const P* positions = a.positions.data<P>();
  float* y = a.y.data<float>();
  parallel_ranges(a.tokens.size(), std::max<int64_t>(1, 8192 / std::max<int64_t>(c, 1)),
                  [&](int64_t begin, int64_t end) {
                    for (int64_t r = begin; r < end; ++r) {
                      const T* from = table + tokens[r] * c;
                      const P* plus =
                          positions ? positions + position(segments, t, r, a.offset) * c : nullptr;
                      for_lanes(c, [&](int64_t i, int n) {
                        Vec v = load_n(from + i, n) * Vec(a.scale);
                        if (plus) v += load_n(plus + i, n);
                        store_n(y + r * c + i, v, n);
                      });
                    }
                  });
}

// to[row_of(token)] += scale dy[token], tokens in their order; threads share out the columns.
template <class F>
void scatter(const Tensor& dy, float scale, const Grad& to, F&& row_of) {
  if (!to) return;
  if (!to.add) fill(cpu(), {to.t, 0.0f});
  const int64_t rows = dy.rows(), c = dy.dim(-1);
  const float* from = dy.data<float>();
  float* table = to.t.data<float>();
  parallel_ranges(c, kColumns, [&](int64_t begin, int64_t end) {
    for (int64_t r = 0; r < rows; ++r) {
      const float* d = from + r * c + begin;
      float* row = table + row_of(r) * c + begin;
      for_lanes(end - begin, [&](int64_t i, int n) {
        store_n(row + i, fma(load_n(d + i, n), Vec(scale), load_n(row + i, n)), n);
      });
    }
  });
}

}  // namespace

void check_tokens(Cpu&, const Tensor& tokens, int64_t vocab) {
  const int32_t* id = tokens.data<int32_t>();
  for (int64_t i = 0; i < tokens.size(); ++i) {
    if (id[i] >= 0 && id[i] < vocab) continue;
    const int64_t t = tokens.dim(1);
    throw DataError(
        fmt::format("embedding: token {} at row {}, position {} is outside the table of "
                    "{} tokens",
                    id[i], i / t, i % t, vocab));
  }
}

void embedding_fwd(Cpu&, const EmbeddingFwd& a) {
  with_dtype(a.table.dtype(), [&]<class T>() {
    with_dtype(a.positions.dtype(), [&]<class P>() { forward<T, P>(a); });
  });
}

void embedding_bwd(Cpu&, const EmbeddingBwd& a) {
  const int64_t t = a.tokens.dim(1), offset = a.offset;
  const int32_t *tokens = a.tokens.data<int32_t>(), *segments = a.segments.data<int32_t>();
  scatter(a.dy, a.scale, a.dtable, [=](int64_t r) { return static_cast<int64_t>(tokens[r]); });
  scatter(a.dy, 1.0f, a.dpositions, [=](int64_t r) { return position(segments, t, r, offset); });
}

}  // namespace keel::kernel
