// keel generate: the prompt and what the model makes of it, as it comes.

#include "train/generate.h"

#include <fmt/format.h>

#include <utility>

#include "cli/commands.h"
#include "cli/hand_over.h"
#include "cli/output.h"
#include "core/parallel.h"
#include "train/session.h"

namespace keel {

int run(const GenerateArgs& args) {
  check_options(args.options);
  hand_over_run(args.run);
  const TrainedModel m = open_model(args.run);
  set_num_threads(static_cast<int>(m.config.train.threads));
  for (const std::string& n : m.notes) say("note: " + n);
  // The prompt stands in front of the first piece: a prompt that is refused is no result.
  std::string waiting = args.prompt;
  const Generated g =
      generate(*m.model, *m.tokenizer, args.prompt, args.options,
               [&](std::string_view piece) { print(std::exchange(waiting, {}).append(piece)); });
  print(waiting + "\n");
  if (g.context_full) {
    complain(fmt::format("stopped after {} tokens: the model's positions end at {}", g.tokens,
                         m.config.model.context));
  }
  return kExitOk;
}

}  // namespace keel
