// keel report.

#include "lab/report.h"

#include "cli/commands.h"
#include "cli/output.h"
#include "core/version.h"
#include "train/environment.h"

namespace keel {

int run(const ReportArgs& args) {
  write_report(args.runs, args.out, {.program = "keel " + version(), .unix_time = unix_time()});
  print(args.out + "\n");
  return kExitOk;
}

}  // namespace keel
