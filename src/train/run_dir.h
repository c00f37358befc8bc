// The folder of one run and the lock that keeps a second process out of it. Its layout:
// config.toml (resolved), config.origin.json, env.json, data.json (what it is trained on),
// metrics.db, events/, ckpt/, samples/, log.txt, report.html, RESUME.md (the exact command), lock.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "io/fs.h"
#include "train/checkpoint_files.h"

namespace keel {

// Takes the flock of FOLDER/lock, held until the file whose number it returns is closed, by its end
// at the latest. ConfigError "WHAT FOLDER is in use by process PID on host HOST", IoError.
int lock_folder(const std::string& folder, std::string_view what);

// The lock of a run: flock on RUN/lock, so that a process that dies gives it up. The file's text
// (pid and host) is for the message only.
class RunLock {
 public:
  RunLock() = default;
  // Throws ConfigError naming run, pid and host when another process holds it, IoError when the
  // lock file cannot be made.
  explicit RunLock(const std::string& run);
  ~RunLock();
  RunLock(RunLock&& other) noexcept;
  RunLock& operator=(RunLock&& other) noexcept;

 private:
  int fd_ = -1;
};

// A run that this process holds the lock of.
class RunDir {
 public:
  // Makes the run under a temporary name beside it, with its empty folders, the given files
  // (config.toml, config.origin.json, env.json) and RESUME.md, then renames it; missing parents are
  // made. ConfigError when `path` exists, IoError when it cannot be made (nothing stays behind).
  static RunDir create(Fs& fs, const std::string& path, const std::vector<NamedText>& files);
  // An existing run, to go on with. DataError when there is none (no folder, no config.toml),
  // ConfigError when it is in use.
  static RunDir open(Fs& fs, const std::string& path);

  const std::string& path() const { return path_; }
  std::string file(std::string_view name) const { return join_path(path_, name); }
  std::string config() const { return file("config.toml"); }
  std::string metrics() const { return file("metrics.db"); }
  std::string events() const { return file("events"); }
  std::string samples() const { return file("samples"); }
  std::string log() const { return file("log.txt"); }

 private:
  RunDir(std::string path, RunLock lock);
  std::string path_;
  RunLock lock_;
};

// Whether `path` looks like a run (a folder with a config.toml under a final name).
bool is_run(Fs& fs, const std::string& path);
// Removes runs in `folder` whose making was cut off: folders of a temporary name whose lock was
// held by a process that is gone. Returns their paths; what cannot be removed stays.
std::vector<std::string> remove_dead_runs(Fs& fs, const std::string& folder);
// runs/YYYYMMDD-HHMMSS-NAME in local time, NAME from the config file's name without its ending.
std::string default_run_path(std::string_view config_path, int64_t unix_seconds);
// A word for a POSIX shell, quoted where it must be.
std::string shell_quote(std::string_view word);

}  // namespace keel
