// A file mapped read-only into memory: its pages are read on first touch and belong to the page
// cache, so a file larger than memory can be used.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace keel {

class MappedFile {
 public:
  MappedFile() = default;  // empty
  // Throws DataError naming the path: missing, unreadable, a folder; MemoryError when it is short.
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;

  const std::byte* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  std::string_view text() const { return {reinterpret_cast<const char*>(data_), bytes_}; }

 private:
  const std::byte* data_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace keel
