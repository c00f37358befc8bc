// The safetensors format: u64 header length, JSON header, then the tensors' bytes without gaps.
// The reader is meant for untrusted files and checks every rule of the format before any tensor is
// touched; the writer streams, so that a checkpoint is never held twice in memory.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/mapped_file.h"

namespace keel {

class FsFile;

// A tensor in memory, to be written. dtype is a name of the format: F32 BF16 F16 F64 I64 I32 U8 ...
// The bytes are little-endian, row-major, and stay owned by the caller.
struct TensorBytes {
  std::string name;
  std::string dtype;
  std::vector<int64_t> shape;
  const void* data = nullptr;
  uint64_t bytes = 0;
};

// A tensor of a file: its bytes are [begin, begin + bytes) of the file.
struct TensorEntry {
  std::string name;
  std::string dtype;
  std::vector<int64_t> shape;
  uint64_t begin = 0;
  uint64_t bytes = 0;
  uint64_t end() const { return begin + bytes; }
  std::string type() const;  // "F32 [2, 3]"
};

using StringPairs = std::vector<std::pair<std::string, std::string>>;

struct SafetensorsHeader {
  std::vector<TensorEntry> tensors;  // in the order of their data
  StringPairs metadata;              // __metadata__
};

// Bits of one element, or nothing for a dtype that the format does not have.
std::optional<int> safetensors_dtype_bits(std::string_view dtype);

// Bytes that a tensor takes. Throws DataError that begins with `where`: an unknown dtype, a
// negative size, a product that overflows, elements that do not fill whole bytes.
uint64_t safetensors_bytes(std::string_view dtype, const std::vector<int64_t>& shape,
                           const std::string& where);

// Checks a whole file's bytes against the format. Throws DataError naming `name`, the tensor and
// the rule that is broken.
SafetensorsHeader parse_safetensors(const std::byte* file, uint64_t file_bytes,
                                    const std::string& name);

// A file opened for reading. Tensor data may be unaligned: copy it out.
class SafetensorsFile {
 public:
  SafetensorsFile() = default;
  // Throws DataError as parse_safetensors does, and when the file cannot be read.
  explicit SafetensorsFile(const std::string& path);

  const std::string& path() const { return path_; }
  const std::vector<TensorEntry>& tensors() const { return header_.tensors; }
  const StringPairs& metadata() const { return header_.metadata; }
  const MappedFile& file() const { return file_; }
  // nullptr when the file has no such tensor.
  const TensorEntry* find(std::string_view name) const;
  // As find, but throws DataError naming file and tensor.
  const TensorEntry& at(std::string_view name) const;
  const std::byte* data(const TensorEntry& t) const { return file_.data() + t.begin; }
  // Copies a tensor that must have this dtype, shape and so size; throws DataError naming file,
  // tensor, what is there and what was asked for.
  void copy_to(std::string_view name, std::string_view dtype, const std::vector<int64_t>& shape,
               void* destination) const;

 private:
  std::string path_;
  MappedFile file_;
  SafetensorsHeader header_;
  std::map<std::string, size_t, std::less<>> index_;  // name -> place in header_.tensors
};

// A file to be written: the layout is fixed first, so that its size is known before the file is
// made. Tensors are laid out by element size, largest first, then by name; the pointers must stay
// valid until write returns.
class SafetensorsLayout {
 public:
  // Throws DataError naming the tensor: a name twice, an unknown dtype, bytes that do not fit the
  // shape. `name` stands for the file in messages.
  SafetensorsLayout(std::vector<TensorBytes> tensors, const StringPairs& metadata,
                    const std::string& name);
  uint64_t file_bytes() const;
  const std::vector<TensorBytes>& tensors() const { return tensors_; }

  struct Checksums {
    std::string file_xxh3;                // of the whole file, hex
    std::vector<uint32_t> tensor_crc32c;  // in the order of tensors()
  };
  // Writes the file's bytes in order and hashes them on the way. Throws IoError as FsFile does.
  Checksums write(FsFile& file) const;

 private:
  std::vector<TensorBytes> tensors_;
  std::string prefix_;  // length and header
  uint64_t data_bytes_ = 0;
};

}  // namespace keel
