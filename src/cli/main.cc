// The program: reads the command line, runs the command, turns errors into messages and exit codes.

#include <malloc.h>

#include <csignal>
#include <new>
#include <variant>

#include "cli/commands.h"
#include "cli/hand_over.h"
#include "cli/output.h"
#include "core/cpu.h"
#include "core/error.h"

int main(int argc, char** argv) {
  using namespace keel;
  std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is an error of the write, not a death
  // One heap for all threads: else each one that allocates takes 64 MiB of address space for its
  // own, or, under a limit that does not have them, a page for every allocation. Steps allocate
  // nothing, so no thread waits for another.
  mallopt(M_ARENA_MAX, 1);
  try {
    check_cpu();
    remember_command_line(argv);
    return std::visit([](const auto& args) { return run(args); }, parse_command_line(argc, argv));
  } catch (const Error& e) {
    complain(e.what());
    return e.exit_code();
  } catch (const std::bad_alloc&) {
    complain("out of memory; a smaller train.batch, model.context or model.dim needs less");
    return kExitMemory;
  } catch (const std::exception& e) {
    complain(e.what());
    return kExitFailed;
  }
}
