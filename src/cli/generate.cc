// keel generate: the prompt and what the model makes of it, as it comes.

#include "train/generate.h"

#include <fmt/format.h>

#include <utility>

#include "cli/commands.h"
#include "cli/hand_over.h"
#include "cli/output.h"
#include "train/session.h"

namespace keel {

int run(const GenerateArgs& args) {
  check_options(args.options);
  const TrainedModel m = open_trained_model(args.run);
  // The prompt stands in front of the first piece: a prompt that is refused is no result.
  std::string waiting = args.prompt;
  GenerateOptions options = args.options;
  options.documents_apart = m.config.data.masks_documents();
  const Generated g =
      generate(*m.model, *m.tokenizer, args.prompt, options,
               [&](std::string_view piece) { print(std::exchange(waiting, {}).append(piece)); });
  print(waiting + "\n");
  if (g.context_full) {
    complain(fmt::format("stopped after {} tokens: the model's positions end at {}", g.tokens,
                         m.config.model.context));
  }
  return kExitOk;
}

}  // namespace keel
