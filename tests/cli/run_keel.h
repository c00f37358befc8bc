// The built program run as a person runs it: arguments in, exit code and both outputs back.
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "io/fs.h"
#include "io/json.h"
#include "io/temp_dir.h"

namespace keel {

struct ProgramEnd {
  int code = -1;  // exit code; 128 + n for a process that signal n ended
  std::string out, err;
  // The last line of standard output, without its end.
  std::string last_line() const {
    const size_t end = out.ends_with('\n') ? out.size() - 1 : out.size();
    const size_t begin = end == 0 ? std::string::npos : out.rfind('\n', end - 1);
    return out.substr(begin == std::string::npos ? 0 : begin + 1, end - (begin + 1));
  }
};

struct Surroundings {
  rlim_t file_bytes = RLIM_INFINITY;     // no file may become larger
  rlim_t address_bytes = RLIM_INFINITY;  // of address space
  std::string folder;                    // working directory; empty: the test's own
  std::string read_only;                 // a folder that looks as if on a read-only file system
  std::vector<std::pair<std::string, std::string>> environment;
};

// Gives this process mounts of its own, in which nothing below `folder` can be written. False where
// the system does not let it.
inline bool mount_read_only(const std::string& folder) {
  if (::unshare(CLONE_NEWNS) != 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
  struct statvfs s {};
  if (::statvfs(folder.c_str(), &s) != 0) return false;
  unsigned long flags = MS_REMOUNT | MS_BIND | MS_RDONLY;  // with those that must not be dropped
  if ((s.f_flag & ST_NOSUID) != 0) flags |= MS_NOSUID;
  if ((s.f_flag & ST_NODEV) != 0) flags |= MS_NODEV;
  if ((s.f_flag & ST_NOEXEC) != 0) flags |= MS_NOEXEC;
  const char* path = folder.c_str();
  return ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         ::mount(path, path, nullptr, MS_BIND, nullptr) == 0 &&
         ::mount(nullptr, path, nullptr, flags, nullptr) == 0;
}

// Whether mount_read_only can do it here.
inline bool can_mount_read_only(const std::string& folder) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(mount_read_only(folder) ? 0 : 1);
  int status = 1;
  ::waitpid(child, &status, 0);
  return status == 0;
}

// A program that is running.
class Running {
 public:
  explicit Running(const std::vector<std::string>& arguments, const Surroundings& around = {}) {
    std::vector<std::string> line(1, KEEL_PROGRAM);
    line.insert(line.end(), arguments.begin(), arguments.end());
    pid_ = ::fork();
    if (pid_ == 0) start(line, around);
  }
  ~Running() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  void send(int number) const { ::kill(pid_, number); }
  std::string err() const { return text("err"); }
  ProgramEnd wait() {
    int status = 0;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), text("out"),
            text("err")};
  }
  // Until standard error says `what`; false when the program ended or a minute passed before.
  bool says(const std::string& what) const {
    for (int i = 0; i < 6000; ++i) {
      if (err().find(what) != std::string::npos) return true;
      siginfo_t info{};
      ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT);
      if (info.si_pid != 0) return err().find(what) != std::string::npos;
      ::usleep(10'000);
    }
    return false;
  }

 private:
  void redirect(int fd, const char* name) const {
    const int file = ::open((dir_ / name).c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600);
    ::dup2(file, fd);
  }
  [[noreturn]] void start(const std::vector<std::string>& arguments,
                          const Surroundings& around) const {
    redirect(STDOUT_FILENO, "out");
    redirect(STDERR_FILENO, "err");
    if (!around.folder.empty() && ::chdir(around.folder.c_str()) != 0) ::_exit(126);
    for (const auto& [name, value] : around.environment) {
      ::setenv(name.c_str(), value.c_str(), 1);
    }
    if (!around.read_only.empty() && !mount_read_only(around.read_only)) ::_exit(125);
    const rlimit limit{around.file_bytes, around.file_bytes};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const rlimit space{around.address_bytes, around.address_bytes};
    ::setrlimit(RLIMIT_AS, &space);
    std::vector<char*> argv;
    for (const std::string& a : arguments) argv.push_back(const_cast<char*>(a.c_str()));
    argv.push_back(nullptr);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  std::string text(const char* name) const {
    Fs& fs = real_fs();
    const std::string path = dir_ / name;
    return fs.exists(path) ? fs.read_file(path, kMaxTextBytes) : std::string();
  }

  TempDir dir_;
  pid_t pid_ = -1;
};

inline ProgramEnd keel(std::vector<std::string> arguments, const Surroundings& around = {}) {
  return Running(std::move(arguments), around).wait();
}

// What --json printed.
inline Json last_json(const ProgramEnd& o) { return parse_json(o.last_line(), "output"); }

// A folder with a config of a run that takes a moment: run.toml, one layer of 32, random text.
class SmallRun {
 public:
  SmallRun() {
    real_fs().write_file(file("run.toml"),
                         "[model]\ndim = 32\nlayers = 1\nheads = 2\ncontext = 32\n"
                         "[data]\nkind = \"text\"\npath = \"text.txt\"\n"
                         "[train]\nbatch = 4\nsteps = 4\n"
                         "[eval]\ntokens = 128\n[sample]\ntokens = 8\n[log]\nprobes = 2\n");
    std::string text;
    for (int i = 0; i < 900; ++i) text += "line " + std::to_string(i * i) + " of a text\n";
    real_fs().write_file(file("text.txt"), text);
  }
  std::string file(const std::string& name) const { return dir_ / name; }
  const std::string& path() const { return dir_.path(); }
  // keel train run.toml --out NAME ARGUMENTS...
  ProgramEnd train(const std::string& name, std::vector<std::string> arguments = {},
                   const Surroundings& around = {}) const {
    return keel(train_line(name, std::move(arguments)), around);
  }
  std::vector<std::string> train_line(const std::string& name,
                                      std::vector<std::string> arguments = {}) const {
    arguments.insert(arguments.begin(), {"train", file("run.toml"), "--out", file(name)});
    return arguments;
  }

 private:
  TempDir dir_;
};

}  // namespace keel
