#include "harness/golden.h"

#include <cstring>

#include "core/error.h"

namespace keel::test {
namespace {

Shape shape_of(const std::vector<int64_t>& s) {
  switch (s.size()) {
    case 0:
      return {1};
    case 1:
      return {s[0]};
    case 2:
      return {s[0], s[1]};
    case 3:
      return {s[0], s[1], s[2]};
    case 4:
      return {s[0], s[1], s[2], s[3]};
    default:
      return {s[0], s[1], s[2], s[3], s[4]};
  }
}

}  // namespace

Golden::Golden(const std::string& file) : file_(KEEL_GOLDEN_DIR "/" + file) {}

Tensor Golden::tensor(const std::string& name) const {
  const TensorEntry& t = file_.at(name);
  if (t.dtype != "F32" && t.dtype != "I32") throw DataError(name + " is " + t.dtype);
  Tensor out = empty(shape_of(t.shape), t.dtype == "F32" ? DType::kF32 : DType::kI32);
  std::memcpy(out.raw(), file_.data(t), t.bytes);
  return out;
}

std::vector<double> Golden::doubles(const std::string& name) const {
  const TensorEntry& t = file_.at(name);
  if (t.dtype != "F64") throw DataError(name + " is " + t.dtype);
  std::vector<double> out(t.bytes / sizeof(double));
  std::memcpy(out.data(), file_.data(t), t.bytes);
  return out;
}

}  // namespace keel::test
