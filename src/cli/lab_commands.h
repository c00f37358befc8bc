// What the command line says for the commands that run trials (commands.h has the others).
#pragma once

#include <cstdint>
#include <string>

namespace keel {

struct SweepArgs {
  std::string file, out;  // out empty: sweeps/ and the file's name
  std::string max_time;   // "3h30m"; empty: no limit
  int64_t jobs = 0;       // 0: as the file says
  bool dry_run = false, yes = false, json = false;
};
struct FrontierArgs {
  std::string file, out;  // as of a sweep
  std::string max_time;
  int64_t jobs = 0;
  bool dry_run = false, yes = false, json = false;
};
struct SweepStatusArgs {
  std::string out;
  bool json = false;
};
struct SweepRetryArgs {
  std::string out;
};
struct SweepRmArgs {
  std::string out;
};
// A worker of a sweep, started by the process `parent`.
struct SweepWorkerArgs {
  std::string out;
  int64_t core = 0, parent = 0;
};

}  // namespace keel
