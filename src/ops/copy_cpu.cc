#include "backend/vec.h"
#include "core/parallel.h"
#include "ops/copy.h"

namespace keel::kernel {
namespace {

constexpr int64_t kGrain = 1 << 14;  // elements in a piece of parallel work

// A tensor, or two of one shape, as rows of dense elements: trailing axes that lie dense are one.
struct Rows {
  int64_t count = 1, length = 1;
  int lead = 0;  // axes in front of those that make a row

  explicit Rows(const Tensor& x) : Rows(x, x) {}
  Rows(const Tensor& x, const Tensor& y) : lead(x.shape().axes()) {
    while (lead > 0 && dense(x) && dense(y)) length *= x.dim(--lead);
    for (int axis = 0; axis < lead; ++axis) count *= x.dim(axis);
  }
  int64_t offset(const Tensor& x, int64_t row) const {
    int64_t at = 0;
    for (int axis = lead - 1; axis >= 0; --axis) {
      at += row % x.dim(axis) * x.stride(axis);
      row /= x.dim(axis);
    }
    return at;
  }

 private:
  bool dense(const Tensor& x) const { return x.dim(lead - 1) <= 1 || x.stride(lead - 1) == length; }
};

// f(row, first element, elements): rows in pieces, or one long row in pieces.
template <class F>
void for_pieces(const Rows& rows, F&& f) {
  const int64_t c = rows.length;
  if (rows.count == 1) {
    parallel_ranges(c, kGrain, [&](int64_t begin, int64_t end) { f(0, begin, end - begin); });
    return;
  }
  const int64_t grain = c < kGrain ? kGrain / (c ? c : 1) : 1;
  parallel_ranges(rows.count, grain, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) f(r, 0, c);
  });
}

template <class From, class To>
void copy_values(const Copy& a) {
  const From* from = a.from.data<From>();
  To* to = a.to.t.data<To>();
  const Rows rows(a.from, a.to.t);
  for_pieces(rows, [&](int64_t row, int64_t first, int64_t count) {
    const From* p = from + rows.offset(a.from, row) + first;
    To* q = to + rows.offset(a.to.t, row) + first;
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
    const Rows rows(a.x);
    for_pieces(rows, [&](int64_t row, int64_t first, int64_t count) {
      T* p = x + rows.offset(a.x, row) + first;
      for_lanes(count, [&](int64_t i, int n) { store_n(p + i, Vec(a.value), n); });
    });
  });
}

}  // namespace keel::kernel
