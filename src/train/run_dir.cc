#include "train/run_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "core/error.h"
#include "train/checkpoint_names.h"
#include "train/environment.h"

namespace keel {
namespace {

std::string absolute_path(const std::string& path) {
  if (path.starts_with('/')) return path;
  char* folder = ::getcwd(nullptr, 0);
  if (folder == nullptr) return path;
  std::string full = join_path(folder, path);
  std::free(folder);
  return full;
}

std::string resume_text(const std::string& path) {
  return fmt::format(
      "# How to go on with this run\n\n"
      "```\nkeel resume {}\n```\n\n"
      "It continues at the newest checkpoint under `ckpt/` whose every byte verifies, and ends "
      "with "
      "the same bits as a run that was never stopped. More steps: "
      "`--set train.steps=N`.\n",
      shell_quote(absolute_path(path)));
}

void fill(Fs& fs, const std::string& folder, const std::string& path,
          const std::vector<NamedText>& files) {
  for (const char* name : {"events", "ckpt", "samples"}) fs.make_dir(join_path(folder, name));
  for (const NamedText& f : files) fs.write_file(join_path(folder, f.name), f.text);
  fs.write_file(join_path(folder, "RESUME.md"), resume_text(path));
  fs.sync_dir(folder);
}

// It has a config.toml, too.
bool is_checkpoint(Fs& fs, const std::string& path) {
  if (fs.exists(join_path(path, kManifestName))) return true;
  return checkpoint_step(base_name(path)) && !fs.exists(checkpoint_root(path));
}

// The owner is written after the lock is taken: before that, a run that is just being made could be
// mistaken for one that nobody makes any more.
bool was_locked(Fs& fs, const std::string& run) {
  const std::string path = join_path(run, "lock");
  return fs.exists(path) && !fs.read_file(path, 4096).empty();
}

}  // namespace

int lock_folder(const std::string& folder, std::string_view what) {
  const std::string path = join_path(folder, "lock");
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0) throw IoError(fmt::format("{}: cannot open: {}", path, strerror(errno)));
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    const int error = errno;
    ::close(fd);
    if (error != EWOULDBLOCK) {
      throw IoError(fmt::format("{}: cannot lock: {}", path, strerror(error)));
    }
    std::string owner = real_fs().read_file(path, 4096);
    if (owner.empty()) owner = "another process";
    throw ConfigError(fmt::format("{} {} is in use by {}", what, folder, owner));
  }
  const std::string owner = fmt::format("process {} on host {}", ::getpid(), host_name());
  if (::ftruncate(fd, 0) != 0 ||
      ::pwrite(fd, owner.data(), owner.size(), 0) != static_cast<ssize_t>(owner.size())) {
    const int error = errno;
    ::close(fd);
    throw IoError(fmt::format("{}: cannot write: {}", path, strerror(error)));
  }
  return fd;
}

RunLock::RunLock(const std::string& run) : fd_(lock_folder(run, "run")) {}

RunLock::~RunLock() {
  if (fd_ >= 0) ::close(fd_);
}

RunLock::RunLock(RunLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

RunLock& RunLock::operator=(RunLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

RunDir::RunDir(std::string path, RunLock lock) : path_(std::move(path)), lock_(std::move(lock)) {}

RunDir RunDir::create(Fs& fs, const std::string& path, const std::vector<NamedText>& files) {
  const auto refuse_existing = [&] {
    if (!fs.exists(path)) return;
    throw ConfigError(
        fmt::format("--out {}: exists already; name a folder that does not, or go on "
                    "with it by: keel resume {}",
                    path, shell_quote(path)));
  };
  refuse_existing();
  const std::string parent = parent_path(path);
  const std::string temporary = join_path(parent, temporary_name(base_name(path)));
  fs.make_dirs(parent);
  try {
    fs.make_dir(temporary);
    RunLock lock(temporary);
    fill(fs, temporary, path, files);
    fs.rename(temporary, path);
    fs.sync_dir(parent);
    return RunDir(path, std::move(lock));
  } catch (const Error&) {
    fs.remove_quietly(temporary);
    refuse_existing();  // another process was faster
    throw;
  }
}

RunDir RunDir::open(Fs& fs, const std::string& path) {
  if (!fs.exists(path)) throw DataError(fmt::format("{}: there is no such run", path));
  if (is_checkpoint(fs, path)) {
    throw DataError(fmt::format("{}: not a run but a checkpoint; name the run it lies in", path));
  }
  if (!is_run(fs, path)) {
    throw DataError(fmt::format("{}: not a run, it has no config.toml", path));
  }
  return RunDir(path, RunLock(path));
}

bool is_run(Fs& fs, const std::string& path) {
  return base_name(path).find(kTemporaryMark) == std::string::npos &&
         fs.exists(join_path(path, "config.toml")) && !is_checkpoint(fs, path);
}

std::vector<std::string> remove_dead_runs(Fs& fs, const std::string& folder) {
  std::vector<std::string> removed;
  try {
    for (const std::string& name : fs.list(folder)) {
      std::string path = join_path(folder, name);
      if (!is_temporary(name) || !was_locked(fs, path)) continue;
      try {
        const RunLock lock(path);
        fs.remove_quietly(path);
      } catch (const Error&) {
        continue;  // its owner lives, or has just given it its final name
      }
      if (!fs.exists(path)) removed.push_back(std::move(path));
    }
  } catch (const Error&) {
    // A folder that cannot be listed is no reason not to train.
  }
  return removed;
}

std::string default_run_path(std::string_view config_path, int64_t unix_seconds) {
  std::string name = base_name(config_path);
  name = name.substr(0, name.rfind('.'));
  for (char& c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!plain && c != '_' && c != '.') c = '-';
  }
  const time_t seconds = unix_seconds;
  struct tm local;
  ::localtime_r(&seconds, &local);
  char stamp[32];
  ::strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", &local);
  return fmt::format("runs/{}-{}", stamp, name);
}

std::string shell_quote(std::string_view word) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=:,@%+";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string_view::npos) {
    return std::string(word);
  }
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

}  // namespace keel
