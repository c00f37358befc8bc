#include "backend/vec.h"
#include "core/parallel.h"
#include "ops/copy.h"

namespace keel::kernel {
namespace {

constexpr int64_t kGrain = 1 << 14;  // elements in a piece of parallel work

// Offset of a row in a tensor of any strides.
int64_t row_offset(const Tensor& x, int64_t row) {
  int64_t at = 0;
  for (int axis = x.shape().axes() - 2; axis >= 0; --axis) {
    at += row % x.dim(axis) * x.stride(axis);
    row /= x.dim(axis);
  }
  return at;
}

// f(row, first element, elements): rows in pieces, or one long row in pieces.
template <class F>
void for_pieces(const Tensor& x, F&& f) {
  const int64_t rows = x.contiguous() ? 1 : x.rows();
  const int64_t c = x.contiguous() ? x.size() : x.dim(-1);
  if (rows == 1) {
    parallel_ranges(c, kGrain, [&](int64_t begin, int64_t end) { f(0, begin, end - begin); });
    return;
  }
  const int64_t grain = c < kGrain ? kGrain / (c ? c : 1) : 1;
  parallel_ranges(rows, grain, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) f(r, 0, c);
  });
}

template <class From, class To>
void copy_values(const Copy& a) {
  const From* from = a.from.data<From>();
  To* to = a.to.t.data<To>();
  const bool both = a.from.contiguous() && a.to.t.contiguous();
  for_pieces(both                  ? a.from
             : a.from.contiguous() ? a.to.t
                                   : a.from,
             [&](int64_t row, int64_t first, int64_t count) {
               const From* p = from + (both ? 0 : row_offset(a.from, row)) + first;
               To* q = to + (both ? 0 : row_offset(a.to.t, row)) + first;
               for_lanes(count, [&](int64_t i, int n) {
                 const Vec v = load_n(p + i, n);
                 store_n(q + i, a.to.add ? v + load_n(q + i, n) : v, n);
               });
             });
}

}  // namespace

void copy(Cpu&, const Copy& a) {
  if (!a.to) return;
  with_dtype(a.from.dtype(), [&]<class From>() {
    with_dtype(a.to.t.dtype(), [&]<class To>() { copy_values<From, To>(a); });
  });
}

void fill(Cpu&, const Fill& a) {
  with_dtype(a.x.dtype(), [&]<class T>() {
    T* x = a.x.data<T>();
    const bool plain = a.x.contiguous();
    for_pieces(a.x, [&](int64_t row, int64_t first, int64_t count) {
      T* p = x + (plain ? 0 : row_offset(a.x, row)) + first;
      for_lanes(count, [&](int64_t i, int n) { store_n(p + i, Vec(a.value), n); });
    });
  });
}

}  // namespace keel::kernel
