#include "backend/cpu/gemm.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "config/print.h"
#include "core/version.h"
#include "train/config.h"

namespace keel {

std::string exit_codes_text() {
  return "  0  all went well; also a finished run that is resumed\n"
         "  1  failed: a device that is not there, shapes that do not fit; also the answer of\n"
         "     keel ckpt diff when the state is not equal, and a sweep in which a trial failed\n"
         "  2  the command line or the config is wrong, or --out exists\n"
         "  3  data, a run or a checkpoint is missing, unreadable or damaged\n"
         " 20  the loss or a gradient became infinite or not a number\n"
         " 71  not enough memory\n"
         " 74  writing failed: disk full, no permission\n"
         " 75  stopped by Ctrl-C, SIGTERM or a limit of time; all is saved, keel resume goes on\n"
         "     (with a sweep: the same keel sweep again)\n"
         "130  a second Ctrl-C: stopped at once, the last checkpoint stands\n"
         "143  a second SIGTERM: the same\n";
}

std::string keys_text() { return config_help(RunConfig()); }

int run(const TextArgs& args) {
  print(args.text);
  return kExitOk;
}

int run(const VersionArgs&) {
  print(version_text(onednn_version()));
  return kExitOk;
}

}  // namespace keel
