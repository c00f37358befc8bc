// Any bytes are a safetensors file, whose tensors tile its data and can be written again, or a
// DataError.
#include <algorithm>
#include <cstring>
#include <iterator>
#include <vector>

#include "core/error.h"
#include "fuzz.h"
#include "io/safetensors.h"

using namespace keel;

namespace {

void check_tiling(const SafetensorsHeader& header, const uint8_t* data, size_t size) {
  uint64_t at = 0, sum = 0;
  for (const TensorEntry& t : header.tensors) {
    if (at == 0) at = t.begin;
    fuzz::require(t.begin == at && t.bytes <= size && t.begin <= size - t.bytes,
                  "tensors tile the data");
    fuzz::require(t.bytes == safetensors_bytes(t.dtype, t.shape, "t"), "bytes are the shape's");
    for (uint64_t i = t.begin; i < t.end(); ++i) sum += data[i];
    at = t.end();
  }
  fuzz::require(header.tensors.empty() || at == size, "the last tensor ends the file");
  volatile uint64_t sink = sum;  // so that every byte is read
  (void)sink;
}

// What was read can be written: the writer knows the same rules.
void check_writable(const SafetensorsHeader& header, const uint8_t* data, size_t size) {
  std::vector<TensorBytes> tensors;
  for (const TensorEntry& t : header.tensors) {
    tensors.push_back({t.name, t.dtype, t.shape, data + t.begin, t.bytes});
  }
  const SafetensorsLayout layout(std::move(tensors), header.metadata, "again");
  fuzz::require(layout.file_bytes() >= 8 && layout.file_bytes() < size * 8 + 4096,
                "a file of about this size");
}

struct Parts {
  std::string header, data;
};

Parts parts_of(const uint8_t* bytes, size_t size) {
  if (size < 8) return {"{}", ""};
  uint64_t length;
  std::memcpy(&length, bytes, 8);
  const size_t n = static_cast<size_t>(std::min<uint64_t>(length, size - 8));
  const char* text = reinterpret_cast<const char*>(bytes) + 8;
  return {{text, n}, {text + n, size - 8 - n}};
}

std::string file_of(const Parts& p, uint64_t length) {
  return std::string(reinterpret_cast<const char*>(&length), 8) + p.header + p.data;
}

// A file that keeps every rule.
Parts made_up(fuzz::Random& random) {
  constexpr const char* kTypes[] = {"F32", "BF16", "U8", "I64", "F4", "F6_E2M3", "BOOL"};
  Json header = Json::object();
  uint64_t at = 0;
  const size_t tensors = fuzz::below(random, 5);
  for (size_t i = 0; i < tensors; ++i) {
    std::vector<int64_t> shape(fuzz::below(random, 4));
    for (int64_t& n : shape) n = static_cast<int64_t>(fuzz::below(random, 4)) * 2;
    const char* type = kTypes[fuzz::below(random, std::size(kTypes))];
    const bool whole = *safetensors_dtype_bits(type) % 8 == 0;
    if (!whole) shape.push_back(8);
    const uint64_t end = at + safetensors_bytes(type, shape, "t");
    header.set("t" + std::to_string(i), Json::object()
                                            .set("dtype", type)
                                            .set("shape", Json::array_of(shape))
                                            .set("data_offsets", Json::array().push(at).push(end)));
    at = end;
  }
  return {header.dump(), std::string(at, 'x')};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const SafetensorsHeader header =
        parse_safetensors(reinterpret_cast<const std::byte*>(data), size, "in");
    check_tiling(header, data, size);
    check_writable(header, data, size);
  } catch (const DataError& e) {
    fuzz::require(std::string_view(e.what()).starts_with("in: "), "an error names the file");
  }
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned seed) {
  fuzz::Random random(seed);
  const size_t how = fuzz::below(random, 8);
  if (how == 0) return LLVMFuzzerMutate(data, size, max_size);
  Parts p = how == 1 ? made_up(random) : parts_of(data, size);
  if (how == 2) {
    p.header = fuzz::mutated_bytes(p.header);
  } else if (how == 3) {
    p.data.resize(fuzz::below(random, p.data.size() * 2 + 9));
  } else {
    p.header = fuzz::mutated_json(p.header, random);
  }
  const uint64_t wrong = how == 7 && random() % 4 == 0 ? random() % 32 : 0;
  return fuzz::give(file_of(p, p.header.size() + wrong), data, max_size);
}
