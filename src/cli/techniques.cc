// keel techniques.

#include "cli/commands.h"
#include "cli/output.h"
#include "core/error.h"
#include "lab/techniques/pages.h"

namespace keel {

int run(const TechniquesArgs& args) {
  if (int(args.json) + int(!args.docs.empty()) + int(!args.name.empty()) > 1) {
    throw ConfigError("techniques: choose one of NAME, --json and --docs");
  }
  if (!args.docs.empty()) {
    write_technique_docs(args.docs);
    print(args.docs + "\n");
  } else if (args.json) {
    print_json(techniques_json());
  } else {
    print(args.name.empty() ? techniques_text() : technique_text(args.name));
  }
  return kExitOk;
}

}  // namespace keel
