#include "io/safetensors.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "core/error.h"
#include "io/fs.h"
#include "io/hash.h"
#include "io/json.h"

namespace keel {
namespace {

constexpr uint64_t kMaxHeaderBytes = 100'000'000;
constexpr size_t kBlockBytes = size_t{1} << 20;  // small enough to be hashed and written from cache

struct DtypeBits {
  const char* name;
  int bits;
};
constexpr DtypeBits kDtypes[] = {
    {"BOOL", 8}, {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6},     {"U8", 8},
    {"I8", 8},   {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8},     {"I16", 16},
    {"U16", 16}, {"F16", 16},    {"BF16", 16},   {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8},
    {"I32", 32}, {"U32", 32},    {"F32", 32},    {"C64", 64},        {"F64", 64},
    {"I64", 64}, {"U64", 64}};

TensorEntry read_entry(const std::string& tensor, const Json& value, uint64_t data_begin,
                       uint64_t data_bytes, const std::string& where) {
  TensorEntry entry{tensor, value.at("dtype").as_string(), {}, 0, 0};
  for (const Json& size : value.at("shape").as_array()) entry.shape.push_back(size.as_int());
  const Json::Array& offsets = value.at("data_offsets").as_array();
  if (offsets.size() != 2) throw DataError("data_offsets must be two numbers");
  const uint64_t begin = offsets[0].as_uint(), end = offsets[1].as_uint();
  if (begin > end || end > data_bytes) {
    throw DataError(fmt::format("data_offsets [{}, {}] leave the file's {} bytes of data", begin,
                                end, data_bytes));
  }
  const uint64_t wanted = safetensors_bytes(entry.dtype, entry.shape, where);
  if (end - begin != wanted) {
    throw DataError(fmt::format("{} of shape [{}] takes {} bytes, data_offsets give {}",
                                entry.dtype, fmt::join(entry.shape, ", "), wanted, end - begin));
  }
  entry.begin = data_begin + begin;
  entry.bytes = end - begin;
  return entry;
}

// The data must be covered from first to last byte, each byte once: what is not described could
// make the file also be a file of another kind.
void check_coverage(const std::vector<TensorEntry>& tensors, uint64_t begin, uint64_t end,
                    const std::string& name) {
  uint64_t at = begin;
  for (const TensorEntry& t : tensors) {
    if (t.begin != at) {
      throw DataError(fmt::format("{}: tensor \"{}\": its data {} at byte {}, expected byte {}",
                                  name, t.name, t.begin < at ? "overlaps another's" : "has a gap",
                                  t.begin, at));
    }
    at += t.bytes;
  }
  if (at != end) {
    throw DataError(fmt::format("{}: {} bytes after the last tensor", name, end - at));
  }
}

std::string describe(std::string_view dtype, const std::vector<int64_t>& shape) {
  return fmt::format("{} [{}]", dtype, fmt::join(shape, ", "));
}

}  // namespace

std::string TensorEntry::type() const { return describe(dtype, shape); }

std::optional<int> safetensors_dtype_bits(std::string_view dtype) {
  for (const DtypeBits& d : kDtypes) {
    if (dtype == d.name) return d.bits;
  }
  return std::nullopt;
}

uint64_t safetensors_bytes(std::string_view dtype, const std::vector<int64_t>& shape,
                           const std::string& where) {
  const std::optional<int> bits = safetensors_dtype_bits(dtype);
  if (!bits) throw DataError(fmt::format("{}: unknown dtype \"{}\"", where, dtype));
  uint64_t total = static_cast<uint64_t>(*bits);
  bool zero = false;
  for (const int64_t size : shape) {
    if (size < 0) throw DataError(fmt::format("{}: size {} in its shape is negative", where, size));
    zero |= size == 0;
    if (size != 0 && __builtin_mul_overflow(total, static_cast<uint64_t>(size), &total)) {
      throw DataError(fmt::format("{}: shape [{}] is too large", where, fmt::join(shape, ", ")));
    }
  }
  if (zero) return 0;
  if (total % 8 != 0) {
    throw DataError(fmt::format("{}: {} of shape [{}] does not fill whole bytes", where, dtype,
                                fmt::join(shape, ", ")));
  }
  return total / 8;
}

SafetensorsHeader parse_safetensors(const std::byte* file, uint64_t file_bytes,
                                    const std::string& name) {
  if (file_bytes < 8) {
    throw DataError(
        fmt::format("{}: {} bytes, a safetensors file has at least 8", name, file_bytes));
  }
  uint64_t length;
  std::memcpy(&length, file, 8);
  if (length > kMaxHeaderBytes) {
    throw DataError(
        fmt::format("{}: header of {} bytes, the limit is {}", name, length, kMaxHeaderBytes));
  }
  if (length > file_bytes - 8) {
    throw DataError(
        fmt::format("{}: header of {} bytes in a file of {}", name, length, file_bytes));
  }
  const Json header = parse_json({reinterpret_cast<const char*>(file) + 8, length}, name);
  if (!header.is_object()) throw DataError(fmt::format("{}: the header is not an object", name));
  SafetensorsHeader result;
  for (const auto& [key, value] : header.as_object()) {
    const bool metadata = key == "__metadata__";
    const std::string where = metadata ? fmt::format("{}: __metadata__", name)
                                       : fmt::format("{}: tensor \"{}\"", name, key);
    try {
      if (metadata) {
        for (const auto& [k, v] : value.as_object()) result.metadata.emplace_back(k, v.as_string());
      } else {
        result.tensors.push_back(
            read_entry(key, value, 8 + length, file_bytes - 8 - length, where));
      }
    } catch (const DataError& e) {
      const std::string_view text = e.what();
      if (text.starts_with(where)) throw;
      throw DataError(fmt::format("{}: {}", where, text));
    }
  }
  std::stable_sort(result.tensors.begin(), result.tensors.end(), [](const auto& a, const auto& b) {
    return std::pair(a.begin, a.bytes) < std::pair(b.begin, b.bytes);
  });
  check_coverage(result.tensors, 8 + length, file_bytes, name);
  return result;
}

SafetensorsFile::SafetensorsFile(const std::string& path)
    : path_(path), file_(path), header_(parse_safetensors(file_.data(), file_.bytes(), path)) {
  for (size_t i = 0; i < header_.tensors.size(); ++i) index_[header_.tensors[i].name] = i;
}

const TensorEntry* SafetensorsFile::find(std::string_view name) const {
  const auto it = index_.find(name);
  return it == index_.end() ? nullptr : &header_.tensors[it->second];
}

const TensorEntry& SafetensorsFile::at(std::string_view name) const {
  const TensorEntry* t = find(name);
  if (t == nullptr) throw DataError(fmt::format("{}: it has no tensor \"{}\"", path_, name));
  return *t;
}

void SafetensorsFile::copy_to(std::string_view name, std::string_view dtype,
                              const std::vector<int64_t>& shape, void* destination) const {
  const TensorEntry& t = at(name);
  if (t.dtype != dtype || t.shape != shape) {
    throw DataError(fmt::format("{}: tensor \"{}\" is {}, expected {}", path_, name, t.type(),
                                describe(dtype, shape)));
  }
  if (t.bytes > 0) std::memcpy(destination, data(t), t.bytes);
}

SafetensorsLayout::SafetensorsLayout(std::vector<TensorBytes> tensors, const StringPairs& metadata,
                                     const std::string& name)
    : tensors_(std::move(tensors)) {
  Json header = Json::object();
  if (!metadata.empty()) {
    Json pairs = Json::object();
    for (const auto& [key, value] : metadata) pairs.set(key, value);
    header.set("__metadata__", std::move(pairs));
  }
  for (const TensorBytes& t : tensors_) {
    const std::string where = fmt::format("{}: tensor \"{}\"", name, t.name);
    const uint64_t wanted = safetensors_bytes(t.dtype, t.shape, where);
    if (wanted != t.bytes) {
      throw DataError(fmt::format("{}: {} takes {} bytes, {} were given", where,
                                  describe(t.dtype, t.shape), wanted, t.bytes));
    }
  }
  std::sort(tensors_.begin(), tensors_.end(), [](const TensorBytes& a, const TensorBytes& b) {
    const int bits_a = *safetensors_dtype_bits(a.dtype), bits_b = *safetensors_dtype_bits(b.dtype);
    return bits_a != bits_b ? bits_a > bits_b : a.name < b.name;
  });
  std::set<std::string_view> names{"__metadata__"};
  uint64_t at = 0;
  for (const TensorBytes& t : tensors_) {
    if (!names.insert(t.name).second) {
      throw DataError(fmt::format("{}: tensor \"{}\": the name is used twice", name, t.name));
    }
    header.append(t.name, Json::object()
                              .set("dtype", t.dtype)
                              .set("shape", Json::array_of(t.shape))
                              .set("data_offsets", Json::array().push(at).push(at + t.bytes)));
    at += t.bytes;
    data_bytes_ += t.bytes;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const uint64_t length = text.size();
  prefix_.assign(reinterpret_cast<const char*>(&length), 8);
  prefix_ += text;
}

uint64_t SafetensorsLayout::file_bytes() const { return prefix_.size() + data_bytes_; }

SafetensorsLayout::Checksums SafetensorsLayout::write(FsFile& file) const {
  Checksums sums;
  Xxh3 hash;
  hash.update(prefix_.data(), prefix_.size());
  file.write(prefix_);
  for (const TensorBytes& t : tensors_) {
    uint32_t crc = 0;
    const auto* data = static_cast<const std::byte*>(t.data);
    for (uint64_t at = 0; at < t.bytes; at += kBlockBytes) {
      const size_t n = std::min<uint64_t>(kBlockBytes, t.bytes - at);
      crc = crc32c(data + at, n, crc);
      hash.update(data + at, n);
      file.write(data + at, n);
    }
    sums.tensor_crc32c.push_back(crc);
  }
  sums.file_xxh3 = hash.hex();
  return sums;
}

}  // namespace keel
