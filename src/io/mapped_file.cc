#include "io/mapped_file.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "core/error.h"

namespace keel {

MappedFile::MappedFile(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) throw DataError(fmt::format("{}: cannot open: {}", path, strerror(errno)));
  struct stat s;
  void* map = nullptr;
  int error = ::fstat(fd, &s) == 0 ? 0 : errno;
  const bool regular = error == 0 && S_ISREG(s.st_mode);
  if (regular && s.st_size > 0) {
    map = ::mmap(nullptr, static_cast<size_t>(s.st_size), PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED) error = errno;
  }
  ::close(fd);
  if (error == ENOMEM) {
    throw MemoryError(fmt::format("not enough memory to map {}: {} bytes", path, s.st_size));
  }
  if (error != 0) throw DataError(fmt::format("{}: cannot map: {}", path, strerror(error)));
  if (!regular) throw DataError(fmt::format("{}: not a file", path));
  data_ = static_cast<const std::byte*>(map);
  bytes_ = static_cast<size_t>(s.st_size);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), bytes_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

}  // namespace keel
