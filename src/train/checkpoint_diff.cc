#include "train/checkpoint_diff.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>

namespace keel {
namespace {

template <class T>
T read_as(const std::byte* data) {
  T v;
  std::memcpy(&v, data, sizeof v);
  return v;
}

// An element as a number, or as its bytes in hex where this program has no such type.
Json value(const TensorEntry& t, const std::byte* element, size_t bytes) {
  if (t.dtype == "F32") return static_cast<double>(read_as<float>(element));
  if (t.dtype == "F64") return read_as<double>(element);
  if (t.dtype == "I32") return read_as<int32_t>(element);
  if (t.dtype == "I64") return read_as<int64_t>(element);
  if (t.dtype == "BF16") {
    const uint32_t bits = uint32_t{read_as<uint16_t>(element)} << 16;
    return static_cast<double>(read_as<float>(reinterpret_cast<const std::byte*>(&bits)));
  }
  std::string hex = "0x";
  for (size_t i = bytes; i-- > 0;) hex += fmt::format("{:02x}", static_cast<unsigned>(element[i]));
  return hex;
}

std::vector<int64_t> index_of(int64_t element, const std::vector<int64_t>& shape) {
  std::vector<int64_t> index(shape.size());
  for (size_t axis = shape.size(); axis-- > 0;) {
    index[axis] = element % shape[axis];
    element /= shape[axis];
  }
  return index;
}

StateDifference whole(const char* file, const std::string& name, Json a, Json b) {
  const auto side = [](const Json& v) { return v.is_string() ? v.as_string() : v.dump(); };
  std::string text;
  if (a.is_null() || b.is_null()) {
    text =
        fmt::format("{}: \"{}\" is in the {} alone", file, name, b.is_null() ? "first" : "second");
  } else {
    text = fmt::format("{}: \"{}\" is {} and {}", file, name, side(a), side(b));
  }
  return {file, name, -1, {}, std::move(a), std::move(b), std::move(text)};
}

// The tensor is in both files.
std::optional<StateDifference> differ(const char* file, const SafetensorsFile& in_a,
                                      const TensorEntry& a, const SafetensorsFile& in_b,
                                      const TensorEntry& b) {
  if (a.dtype != b.dtype || a.shape != b.shape) {
    return whole(file, a.name, a.type(), b.type());
  }
  const std::byte *from_a = in_a.data(a), *from_b = in_b.data(b);
  if (a.bytes == 0 || std::memcmp(from_a, from_b, a.bytes) == 0) return std::nullopt;
  const auto at =
      static_cast<size_t>(std::mismatch(from_a, from_a + a.bytes, from_b).first - from_a);
  const size_t size = std::max(1, safetensors_dtype_bits(a.dtype).value_or(8) / 8);
  const size_t begin = at / size * size;
  StateDifference d{file, a.name, static_cast<int64_t>(at / size), {}, {}, {}, {}};
  d.index = index_of(d.element, a.shape);
  d.a = value(a, from_a + begin, size);
  d.b = value(b, from_b + begin, size);
  d.text = fmt::format("{}: tensor \"{}\": element {} [{}] is {} and {}", file, a.name, d.element,
                       fmt::join(d.index, ", "), d.a.dump(), d.b.dump());
  return d;
}

void compare_files(const char* file, const SafetensorsFile& a, const SafetensorsFile& b,
                   StateComparison& out) {
  const auto note = [&](std::optional<StateDifference> d) {
    ++out.tensors;
    out.differing += d.has_value();
    if (!out.first) out.first = std::move(d);
  };
  for (const TensorEntry& t : a.tensors()) {
    const TensorEntry* other = b.find(t.name);
    note(other != nullptr ? differ(file, a, t, b, *other) : whole(file, t.name, t.type(), nullptr));
  }
  for (const TensorEntry& t : b.tensors()) {
    if (a.find(t.name) == nullptr) note(whole(file, t.name, nullptr, t.type()));
  }
}

Json field(const LoadedCheckpoint& c, const char* key) {
  const Json* v = c.extra.find(key);
  return v == nullptr ? Json() : *v;
}

}  // namespace

StateComparison compare_state(const LoadedCheckpoint& a, const LoadedCheckpoint& b) {
  StateComparison out;
  compare_files("model.safetensors", a.model, b.model, out);
  compare_files("state.safetensors", a.state, b.state, out);
  const auto same = [&](const char* name, Json x, Json y) {
    if (!out.first && x != y) out.first = whole(kManifestName, name, std::move(x), std::move(y));
  };
  same("step", a.step, b.step);
  same("sequences", field(a, "sequences"), field(b, "sequences"));
  return out;
}

}  // namespace keel
