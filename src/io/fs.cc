#include "io/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "core/error.h"

namespace keel {
namespace {

constexpr size_t kReadBytes = size_t{1} << 18;

[[noreturn]] void fail_write(const char* operation, const std::string& path, int error) {
  // EFBIG: a limit of the process on the size of files (RLIMIT_FSIZE).
  const bool no_room = error == ENOSPC || error == EDQUOT || error == EFBIG;
  throw IoError(fmt::format("{}: cannot {}: {}", path, operation, strerror(error)), no_room);
}

[[noreturn]] void fail_read(const char* operation, const std::string& path, int error) {
  throw DataError(fmt::format("{}: cannot {}: {}", path, operation, strerror(error)));
}

// Calls f again for as long as a signal interrupts it.
template <class F>
auto retry(F f) {
  auto r = f();
  while (r < 0 && errno == EINTR) r = f();
  return r;
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

class RealFile final : public FsFile {
 public:
  RealFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}

  void reserve(uint64_t bytes) override {
    if (bytes == 0) return;
    int error = EINTR;
    while (error == EINTR) error = ::posix_fallocate(fd_.get(), 0, static_cast<off_t>(bytes));
    if (error != 0) fail_write(fmt::format("reserve {} bytes", bytes).c_str(), path_, error);
  }
  void write(const void* data, size_t bytes) override {
    const char* p = static_cast<const char*>(data);
    while (bytes > 0) {
      const ssize_t n = retry([&] { return ::write(fd_.get(), p, bytes); });
      if (n < 0) fail_write("write", path_, errno);
      p += n;
      bytes -= static_cast<size_t>(n);
    }
  }
  void sync() override {
    if (::fsync(fd_.get()) != 0) fail_write("sync", path_, errno);
  }
  void close() override {
    if (::close(fd_.release()) != 0) fail_write("close", path_, errno);
  }

 private:
  Descriptor fd_;
  std::string path_;
};

class RealFs final : public Fs {
 public:
  std::unique_ptr<FsFile> create(const std::string& path) override {
    const int fd =
        retry([&] { return ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666); });
    if (fd < 0) fail_write("create", path, errno);
    return std::make_unique<RealFile>(fd, path);
  }
  void make_dir(const std::string& path) override {
    if (::mkdir(path.c_str(), 0777) != 0) fail_write("make the folder", path, errno);
  }
  void rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) {
      fail_write(("rename to " + to).c_str(), from, errno);
    }
  }
  void remove_file(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) fail_write("remove", path, errno);
  }
  void remove_dir(const std::string& path) override {
    if (::rmdir(path.c_str()) != 0) fail_write("remove the folder", path, errno);
  }
  void sync_dir(const std::string& path) override {
    const Descriptor fd(
        retry([&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
    if (fd.get() < 0) fail_write("open the folder", path, errno);
    // EINVAL: a file system whose folders cannot be synced has nothing more to offer.
    if (::fsync(fd.get()) != 0 && errno != EINVAL) fail_write("sync the folder", path, errno);
  }
  void sync_file(const std::string& path) override {
    const Descriptor fd(retry([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); }));
    if (fd.get() < 0) fail_write("open", path, errno);
    if (::fsync(fd.get()) != 0) fail_write("sync", path, errno);
  }
  bool exists(const std::string& path) override {
    struct stat s;
    return ::stat(path.c_str(), &s) == 0;
  }
  bool is_dir(const std::string& path) override {
    struct stat s;
    return ::stat(path.c_str(), &s) == 0 && S_ISDIR(s.st_mode);
  }
  bool is_link(const std::string& path) override {
    struct stat s;
    return ::lstat(path.c_str(), &s) == 0 && S_ISLNK(s.st_mode);
  }
  std::vector<std::string> list(const std::string& path) override;
  std::string read_file(const std::string& path, uint64_t max_bytes) override;
};

std::vector<std::string> RealFs::list(const std::string& path) {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(path.c_str()), ::closedir);
  if (dir == nullptr) fail_read("list the folder", path, errno);
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) fail_read("list the folder", path, errno);
  std::sort(names.begin(), names.end());
  return names;
}

std::string RealFs::read_file(const std::string& path, uint64_t max_bytes) {
  std::string text;
  read_pieces(path, [&](std::string_view piece) {
    if (piece.size() > max_bytes - text.size()) {
      throw DataError(fmt::format("{}: larger than {} bytes", path, max_bytes));
    }
    text += piece;
  });
  return text;
}

}  // namespace

void Fs::read_pieces(const std::string& path, const std::function<void(std::string_view)>& take) {
  // Without O_NONBLOCK a pipe under the name would wait for somebody to write.
  const Descriptor fd(
      retry([&] { return ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC); }));
  if (fd.get() < 0) fail_read("open", path, errno);
  struct stat s;
  if (::fstat(fd.get(), &s) != 0) fail_read("open", path, errno);
  if (!S_ISREG(s.st_mode)) throw DataError(fmt::format("{}: not a file", path));
  std::string block(kReadBytes, '\0');
  for (;;) {
    const ssize_t n = retry([&] { return ::read(fd.get(), block.data(), block.size()); });
    if (n < 0) fail_read("read", path, errno);
    if (n == 0) return;
    take({block.data(), static_cast<size_t>(n)});
  }
}

void Fs::remove_tree(const std::string& path) {
  if (is_link(path) || !is_dir(path)) return remove_file(path);
  for (const std::string& name : list(path)) remove_tree(join_path(path, name));
  remove_dir(path);
}

void Fs::make_dirs(const std::string& path) {
  if (exists(path)) return;
  make_dirs(parent_path(path));
  make_dir(path);
}

void Fs::write_file(const std::string& path, std::string_view text) {
  const auto file = create(path);
  file->reserve(text.size());
  file->write(text);
  file->sync();
  file->close();
}

void Fs::replace_file(const std::string& path, std::string_view text) {
  const std::string temporary = temporary_name(path);
  try {
    write_file(temporary, text);
    rename(temporary, path);
  } catch (const Error&) {
    remove_quietly(temporary);
    throw;
  }
  sync_dir(parent_path(path));
}

void Fs::remove_quietly(const std::string& path) noexcept {
  try {
    if (exists(path)) remove_tree(path);
  } catch (const std::exception&) {
    // It only clears up after a failure that is being reported already.
  }
}

Fs& real_fs() {
  static RealFs fs;
  return fs;
}

std::string join_path(std::string_view folder, std::string_view name) {
  if (folder.empty()) return std::string(name);
  return fmt::format("{}{}{}", folder, folder.ends_with('/') ? "" : "/", name);
}

std::string parent_path(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return std::string(path.substr(0, std::max<size_t>(slash, 1)));
}

std::string base_name(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos || path.size() == 1) return std::string(path);
  return std::string(path.substr(slash + 1));
}

std::string random_suffix() {
  uint64_t bits = 0;
  if (::getrandom(&bits, sizeof bits, 0) != sizeof bits) {
    throw IoError(fmt::format("cannot read random bytes: {}", strerror(errno)));
  }
  return fmt::format("{:016x}", bits);
}

std::string temporary_name(const std::string& path) {
  return fmt::format("{}{}{}", path, kTemporaryMark, random_suffix());
}

bool is_temporary(std::string_view name) {
  constexpr size_t kDigits = 16;
  if (name.size() < kTemporaryMark.size() + kDigits) return false;
  const std::string_view digits = name.substr(name.size() - kDigits);
  return name.substr(0, name.size() - kDigits).ends_with(kTemporaryMark) &&
         digits.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace keel
