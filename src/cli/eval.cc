// keel eval: the loss of a trained model on data that it was not trained with.

#include <fmt/format.h>

#include <cmath>
#include <optional>

#include "cli/commands.h"
#include "cli/hand_over.h"
#include "cli/output.h"
#include "core/error.h"
#include "train/evaluate.h"
#include "train/session.h"

namespace keel {

int run(const EvalArgs& args) {
  const TrainedModel m = open_trained_model(args.run);
  const RunConfig& c = m.config;
  const auto data = Dataset::open_eval(args.data, *m.tokenizer, c.data,
                                       {.context = c.model.context, .vocab = m.model->vocab()});
  const auto task = tasks().make(c.task);
  const DeviceKind device = m.model->parameters().device();
  Arena arena(device);
  BatchTensors inputs(c.train.batch, c.model.context, device);
  Evaluator evaluator(*m.model, *task, arena, inputs);
  const EvalResult result = evaluator.evaluate(*data, 0);
  if (!std::isfinite(result.loss)) {
    throw DataError(fmt::format("{}: the model's loss is not finite", m.path));
  }
  std::optional<double> bits;
  if (const int64_t bytes = data->eval_bytes(*m.tokenizer); bytes > 0) {
    bits = result.loss * static_cast<double>(result.tokens) / std::log(2.0) /
           static_cast<double>(bytes);
  }
  if (args.json) {
    Json j = Json::object();
    j.set("loss", result.loss).set("tokens", result.tokens);
    j.set("bits_per_byte", bits ? Json(*bits) : Json(nullptr));
    print_json(j);
    return kExitOk;
  }
  print(fmt::format("loss           {:.4f} nats a token\ntokens         {}\n", result.loss,
                    grouped(result.tokens)));
  if (bits) print(fmt::format("bits per byte  {:.4f}\n", *bits));
  print(fmt::format("perplexity     {:.4f}\nmodel          {}\n", std::exp(result.loss), m.path));
  return kExitOk;
}

}  // namespace keel
