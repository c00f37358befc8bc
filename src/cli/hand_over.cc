#include "cli/hand_over.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "cli/output.h"
#include "config/load.h"
#include "core/device.h"
#include "core/error.h"
#include "io/fs.h"

namespace keel {
namespace {

constexpr const char* kProgram = "keel-cuda";
char** command_line = nullptr;

std::string folder_of_this_program() {
  char path[PATH_MAX];
  const ssize_t n = ::readlink("/proc/self/exe", path, sizeof path);
  return n > 0 ? parent_path(std::string_view(path, static_cast<size_t>(n))) : std::string();
}

// Empty when there is none.
std::string find_program() {
  const char* from_environment = std::getenv("PATH");
  std::string folders = folder_of_this_program();
  if (from_environment != nullptr) folders.append(":").append(from_environment);
  for (size_t at = 0; at <= folders.size();) {
    const size_t end = std::min(folders.find(':', at), folders.size());
    const std::string folder = folders.substr(at, end - at);
    std::string path = join_path(folder, kProgram);
    if (!folder.empty() && ::access(path.c_str(), X_OK) == 0) return path;
    at = end + 1;
  }
  return {};
}

}  // namespace

void remember_command_line(char** argv) { command_line = argv; }

void hand_over(const RunConfig& config) {
  if (kHasCuda || config.train.device != "cuda" || command_line == nullptr) return;
  const std::string program = find_program();
  if (program.empty()) return;
  ::execv(program.c_str(), command_line);
  throw DeviceError(fmt::format("{}: cannot be started: {}", program, std::strerror(errno)));
}

void hand_over_config(const std::string& config, const std::vector<std::string>& sets) {
  RunConfig c;
  load_config(config, sets, c);
  hand_over(c);
}

void hand_over_run(const std::string& run, const std::vector<std::string>& sets) {
  Fs& fs = real_fs();
  const std::string path = join_path(run, "config.toml");
  if (!fs.exists(path)) return;
  RunConfig c;
  load_resolved(path, fs.read_file(path, kMaxTextBytes), sets, c);
  hand_over(c);
}

TrainedModel open_trained_model(const std::string& run) {
  hand_over_run(run);
  TrainedModel m = open_model(run);
  for (const std::string& n : m.notes) say("note: " + n);
  return m;
}

}  // namespace keel
