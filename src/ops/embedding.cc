#include "ops/embedding.h"

#include <fmt/format.h>

#include "core/device.h"
#include "core/error.h"
#include "ops/check.h"

namespace keel {
namespace {

void check_ids(const char* name, const Tensor& x, const Shape& shape) {
  if (x.dtype() == DType::kI32 && x.shape() == shape && x.contiguous()) return;
  throw ShapeError(fmt::format("embedding: {} is {} {}, must be i32 {} and contiguous", name,
                               name_of(x.dtype()), x.shape().str(), shape.str()));
}

void check(const Tensor& tokens, const Tensor& table, const Tensor& positions,
           const Tensor& segments, int64_t offset) {
  check_axes("embedding", "tokens", tokens, 2);
  check_ids("tokens", tokens, tokens.shape());
  check_axes("embedding", "table", table, 2);
  if (segments) check_ids("segments", segments, tokens.shape());
  on_device(tokens, [&](auto& dev) { kernel::check_tokens(dev, tokens, table.dim(0)); });
  if (!positions) return;
  if (positions.shape().axes() != 2 || positions.dim(1) != table.dim(1)) {
    throw ShapeError(fmt::format("embedding: positions is {}, table is {}", positions.shape().str(),
                                 table.shape().str()));
  }
  const int64_t end = offset + tokens.dim(1);
  if (offset < 0 || end > positions.dim(0)) {
    throw ShapeError(fmt::format("embedding: positions {} to {} are outside the {} of the table",
                                 offset, end - 1, positions.dim(0)));
  }
}

}  // namespace

Var embedding(const Tensor& tokens, const Var& table, const Var& positions, const Tensor& segments,
              int64_t offset, float scale) {
  check(tokens, table.t, positions.t, segments, offset);
  Tensor y = empty({tokens.dim(0), tokens.dim(1), table.t.dim(1)}, DType::kF32, table.t.device());
  on_device(y, [&](auto& dev) {
    kernel::embedding_fwd(dev, {tokens, table.t, positions.t, segments, y, offset, scale});
  });
  return record("embedding", y, {table, positions}, [tokens, segments, offset, scale](Node& n) {
    const Tensor dy = n.dy();
    const Grad dtable = n.grad_of(0), dpositions = n.grad_of(1);
    on_device(dy, [&](auto& dev) {
      kernel::embedding_bwd(dev, {dy, tokens, segments, dtable, dpositions, offset, scale});
    });
  });
}

}  // namespace keel
