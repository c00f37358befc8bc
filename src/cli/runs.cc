// keel runs ls and keel runs compare.

#include "lab/runs.h"

#include "cli/commands.h"
#include "cli/output.h"

namespace keel {

int run(const RunsLsArgs& args) {
  const std::vector<RunSummary> runs = summarize_runs(find_runs(args.folder));
  if (args.json) {
    print_json(Json::object().set("runs", runs_json(runs)));
  } else {
    print(runs_table(runs));
  }
  return kExitOk;
}

int run(const RunsCompareArgs& args) {
  std::vector<RunData> runs;
  for (const std::string& path : args.runs) runs.push_back(load_run_data(path));
  if (args.json) {
    print_json(compare_json(runs));
  } else {
    print(compare_table(runs));
  }
  return kExitOk;
}

}  // namespace keel
