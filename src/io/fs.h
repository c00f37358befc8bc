// Every file operation of saving goes through Fs, so that a test can make any one of them fail.
// Writing operations throw IoError, reading ones DataError; both name operation, path and reason.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace keel {

// A file being written. Destroying it closes it without a report, so call close() when it matters.
class FsFile {
 public:
  virtual ~FsFile() = default;
  // Takes disk space for bytes [0, bytes) and makes the file that long, so that a full disk is
  // found before anything is written.
  virtual void reserve(uint64_t bytes) = 0;
  // Writes all bytes at the current position (short writes are continued) and moves it on.
  virtual void write(const void* data, size_t bytes) = 0;
  virtual void sync() = 0;
  virtual void close() = 0;
  void write(std::string_view text) { write(text.data(), text.size()); }
};

class Fs {
 public:
  virtual ~Fs() = default;
  // A new file; fails when the path exists.
  virtual std::unique_ptr<FsFile> create(const std::string& path) = 0;
  virtual void make_dir(const std::string& path) = 0;
  // Makes `from` appear as `to`; replaces a file, but never a folder that holds something.
  virtual void rename(const std::string& from, const std::string& to) = 0;
  virtual void remove_file(const std::string& path) = 0;
  virtual void remove_dir(const std::string& path) = 0;
  virtual void sync_dir(const std::string& path) = 0;
  // Brings to disk what others have written to a file.
  virtual void sync_file(const std::string& path) = 0;

  virtual bool exists(const std::string& path) = 0;
  virtual bool is_dir(const std::string& path) = 0;   // also a link to a folder
  virtual bool is_link(const std::string& path) = 0;  // itself a symbolic link
  // Names (not paths) in a folder, sorted, without . and ..
  virtual std::vector<std::string> list(const std::string& path) = 0;
  virtual std::string read_file(const std::string& path, uint64_t max_bytes) = 0;
  // Hands a file's bytes to `take` in order, a piece at a time. Unlike a mapped file, one that the
  // disk no longer gives back is an error here and not a signal. DataError also for what is no
  // regular file.
  virtual void read_pieces(const std::string& path,
                           const std::function<void(std::string_view)>& take);

  // A folder and all that is in it; symbolic links are removed, not followed.
  void remove_tree(const std::string& path);
  // remove_tree of what may not be there, for clearing up after a failure: what cannot be removed
  // stays.
  void remove_quietly(const std::string& path) noexcept;
  // make_dir for the path and each missing parent.
  void make_dirs(const std::string& path);
  // A whole new file: create, reserve, write, sync, close.
  void write_file(const std::string& path, std::string_view text);
  // write_file under a temporary name beside it, then rename and sync_dir: readers see the old
  // text or the new one. On failure the temporary file is removed.
  void replace_file(const std::string& path, std::string_view text);
};

// The operating system's files.
Fs& real_fs();

// "a/b" from "a" and "b"; no check of the names.
std::string join_path(std::string_view folder, std::string_view name);
// The folder that holds path: "." for a bare name, "/" for the root.
std::string parent_path(std::string_view path);
// The last part of a path.
std::string base_name(std::string_view path);
// 16 hex digits from the system's random source, for temporary names.
std::string random_suffix();
// What the names of unfinished files and folders have in them.
inline constexpr std::string_view kTemporaryMark = ".tmp-";
// A name beside `path` for what becomes it when it is finished: ".tmp-" and a random suffix.
std::string temporary_name(const std::string& path);
// Whether a name ends as such a one does.
bool is_temporary(std::string_view name);

constexpr uint64_t kMaxTextBytes = uint64_t{1} << 30;

}  // namespace keel
