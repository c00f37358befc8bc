// The commands of the program: what the command line says for each, and the functions that carry
// them out. They return the exit code and throw the errors of core/error.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "cli/lab_commands.h"
#include "train/generate.h"

namespace keel {

struct TrainArgs {
  std::string config, out;
  std::vector<std::string> sets;  // key=value
  std::string max_time;           // "3h30m"; empty: no limit
  bool json = false, quiet = false;
};
struct ResumeArgs {
  std::string run;
  std::vector<std::string> sets;
  std::string max_time;
  bool json = false, quiet = false;
  bool changed_data = false;  // go on though the data is not what it was
};
struct EvalArgs {
  std::string run, data;  // a run or checkpoint; a file or folder
  bool json = false;
};
struct GenerateArgs {
  std::string run;
  std::string prompt;
  GenerateOptions options;
};
struct PlanArgs {
  std::string config;
  std::vector<std::string> sets;
  bool json = false, probe = false;
};
struct BenchArgs {
  std::string config;
  std::vector<std::string> sets;
  int64_t steps = 20;   // that are measured
  int64_t discard = 3;  // before them
  // The other side of a comparison, in place of `sets`; none: nothing is compared. An empty text is
  // the config as it stands.
  std::vector<std::string> against;
  bool json = false;
};
struct CoordCheckArgs {
  std::string config;
  std::vector<std::string> sets;
  std::vector<int64_t> widths{64, 128, 256, 512};
  int64_t steps = 10, seeds = 3;
  std::string out;  // an .svg file; empty: no picture
  bool json = false;
};
struct ReportArgs {
  std::vector<std::string> runs;
  std::string out;
};
// CONFIG is a TOML file or a run.
struct ConfigShowArgs {
  std::string config;
  std::vector<std::string> sets;
};
struct ConfigCheckArgs {
  std::string config;
  std::vector<std::string> sets;
};
struct ConfigSchemaArgs {
  std::string config;  // empty: the defaults
};
struct ConfigDiffArgs {
  std::string a, b;
};
struct RunsLsArgs {
  std::string folder = "runs";
  bool json = false;
};
struct RunsCompareArgs {
  std::vector<std::string> runs;
  bool json = false;
};
// RUN|CKPT: a run stands for its newest checkpoint folder under a final name.
struct CkptLsArgs {
  std::string run;
  bool quick = false, json = false;  // quick: manifests alone
};
struct CkptVerifyArgs {
  std::string from;
  bool json = false;
};
struct CkptDiffArgs {
  std::string a, b;
  bool json = false;
};
struct CkptPruneArgs {
  std::string from;                         // a run, or the one checkpoint to remove
  std::optional<int64_t> keep, keep_every;  // none: as the run's config says
  bool dry_run = false, json = false;
};
struct CkptPinArgs {
  std::string from;
  bool remove = false, json = false;
};
struct DataInspectArgs {
  std::string file;
  bool json = false;
};
struct DataShowArgs {
  std::string run;
  int64_t step = 1;  // as the log numbers them: the first is 1
};
struct TechniquesArgs {
  std::string name;  // empty: all
  std::string docs;  // a folder to write the pages of docs/techniques to; or empty
  bool json = false;
};
struct VersionArgs {};
// A text to be printed: help that was asked for.
struct TextArgs {
  std::string text;
};

using Command =
    std::variant<TrainArgs, ResumeArgs, EvalArgs, GenerateArgs, PlanArgs, BenchArgs, CoordCheckArgs,
                 ReportArgs, ConfigShowArgs, ConfigCheckArgs, ConfigSchemaArgs, ConfigDiffArgs,
                 RunsLsArgs, RunsCompareArgs, CkptLsArgs, CkptVerifyArgs, CkptDiffArgs,
                 CkptPruneArgs, CkptPinArgs, DataInspectArgs, DataShowArgs, TechniquesArgs,
                 SweepArgs, FrontierArgs, SweepStatusArgs, SweepRetryArgs, SweepRmArgs,
                 SweepWorkerArgs, VersionArgs, TextArgs>;

// ConfigError that says what is wrong with the command line, with a suggestion where a word looks
// like a slip.
Command parse_command_line(int argc, char** argv);
// What `keel help exit-codes` prints.
std::string exit_codes_text();
// What `keel help keys` prints: every key that a config may hold.
std::string keys_text();

int run(const TrainArgs& args);
int run(const ResumeArgs& args);
int run(const EvalArgs& args);
int run(const GenerateArgs& args);
int run(const PlanArgs& args);
int run(const BenchArgs& args);
int run(const CoordCheckArgs& args);
int run(const ReportArgs& args);
int run(const ConfigShowArgs& args);
int run(const ConfigCheckArgs& args);
int run(const ConfigSchemaArgs& args);
int run(const ConfigDiffArgs& args);
int run(const RunsLsArgs& args);
int run(const RunsCompareArgs& args);
int run(const CkptLsArgs& args);
int run(const CkptVerifyArgs& args);
int run(const CkptDiffArgs& args);
int run(const CkptPruneArgs& args);
int run(const CkptPinArgs& args);
int run(const DataInspectArgs& args);
int run(const DataShowArgs& args);
int run(const TechniquesArgs& args);
int run(const SweepArgs& args);
int run(const FrontierArgs& args);
int run(const SweepStatusArgs& args);
int run(const SweepRetryArgs& args);
int run(const SweepRmArgs& args);
int run(const SweepWorkerArgs& args);
int run(const VersionArgs& args);
int run(const TextArgs& args);

}  // namespace keel
