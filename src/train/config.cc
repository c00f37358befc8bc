#include "train/config.h"

#include <fmt/format.h>

#include "core/error.h"
#include "data/source.h"
#include "nn/attention/softmax.h"
#include "train/batch_ramp.h"
#include "train/methods.h"

namespace keel {
namespace {

constexpr double kMostTokens = 1e18;  // of a run: their number must fit in an int64_t
constexpr double kMost = 1e12;        // steps, tokens or checkpoints that a key may name

}  // namespace

void BatchWarmupConfig::fields(Fields& f) {
  f("start", start,
    "micro-batches in the first step; 0: train.accumulate from the first step on. While the batch "
    "grows, schedules count what is seen in full batches",
    between(0, 1 << 20));
  f("increment", increment, "micro-batches that are added at a time; 0: as start = 0",
    between(0, 1 << 20));
  f("tokens", tokens, "trained tokens after which the batch is full", between(0, kMost));
}

void TrainConfig::validate(Errors& errors) const {
  if (batch_warmup.start > accumulate) {
    errors.add("batch_warmup.start",
               fmt::format("{} is more than train.accumulate = {}", batch_warmup.start, accumulate),
               {"accumulate"});
  }
  const bool grows = batch_warmup.start > 0 && batch_warmup.start < accumulate;
  if (grows && batch_warmup.increment > 0 && batch_warmup.tokens == 0) {
    errors.add("batch_warmup.tokens", "must be set where batch_warmup.start is",
               {"batch_warmup.start", "batch_warmup.increment", "accumulate"});
  }
}

void TrainConfig::fields(Fields& f) {
  f("batch", batch, "sequences in a micro-batch", between(1, 1 << 24));
  f("accumulate", accumulate, "micro-batches in a step", between(1, 1 << 20));
  f("batch_warmup", batch_warmup, "a batch that grows");
  f("steps", steps, "optimizer steps", between(1, kMost));
  f("seed", seed, "sets seed.init, seed.data and seed.dropout", at_least(0));
  f.path("init", init, "run, checkpoint or model.safetensors to take the first weights from");
  f("threads", threads, "threads that compute; 0: all cores", between(0, 256));
  f("dtype", dtype, "storage of activations and operands; auto: measured when the run is created",
    one_of({"f32", "bf16", "auto"}));
  f("device", device, "where the model lives", one_of({"cpu", "cuda"}));
  f("ema", ema,
    "decay of an exponential moving average of the weights, evaluated beside them; "
    "0: none",
    at_least(0).below(1));
}

void SeedConfig::fields(Fields& f) {
  f("init", init, "first values of the parameters; -1: train.seed", at_least(-1));
  f("data", data, "order of the data; -1: train.seed", at_least(-1));
  f("dropout", dropout, "dropout; -1: train.seed", at_least(-1));
}

void EvalConfig::fields(Fields& f) {
  f("every", every, "steps between evaluations; 0: after the last step only", between(0, kMost));
  f("tokens", tokens, "validation targets in an evaluation; 0: all", between(0, kMost));
}

void CheckpointConfig::fields(Fields& f) {
  f("every", every, "steps between checkpoints; 0: after the last step only", between(0, kMost));
  f("keep", keep, "newest checkpoints that stay; 0: all", between(0, kMost));
  f("keep_every", keep_every,
    "checkpoints whose step is a multiple of this stay for good, too; 0: none", between(0, kMost));
  f("async", async,
    "written from a copy of the state while training goes on; false: training waits");
  f("on_disk_full", on_disk_full,
    "when there is no room for a checkpoint: continue (warn, try again after the next interval), "
    "pause (wait until there is), stop (exit 74)",
    one_of({"continue", "pause", "stop"}));
}

void CheckpointConfig::validate(Errors& errors) const {
  if (keep == 1) errors.add("keep", "must be 0 (all) or at least 2, is 1", {});
  if (keep_every == 0) return;
  if (keep == 0) {
    errors.add("keep_every", "checkpoint.keep = 0 keeps all; set one of them", {"keep"});
  }
  if (every == 0) {
    errors.add("keep_every", "checkpoint.every = 0 saves after the last step only; set both",
               {"every"});
  } else if (keep_every % every != 0) {
    errors.add("keep_every",
               fmt::format("{} is not a multiple of checkpoint.every = {}", keep_every, every),
               {"every"});
  }
}

void SampleConfig::fields(Fields& f) {
  f("every", every, "steps between samples; 0: at each evaluation", between(0, kMost));
  f("tokens", tokens, "tokens in a sample; 0: no samples", between(0, kMost));
  f("prompt", prompt, "what a sample continues; empty: the start of a document");
  f("temperature", temperature, "0 takes the likeliest token", at_least(0));
}

void StopConfig::fields(Fields& f) {
  f("patience", patience,
    "evaluations without a better validation loss before the run ends; "
    "0: never",
    between(0, kMost));
}

void LogConfig::fields(Fields& f) {
  f("every", every, "steps between lines of the log", between(1, kMost));
  f("probes", probes,
    "steps between readings of attention logits and entropies, of the RMS of linears' outputs and "
    "of how far weights move; 0: never",
    between(0, kMost));
}

const Presets* RunConfig::presets() const { return &methods(); }

void RunConfig::fields(Fields& f) {
  std::vector<std::string> names{"none"};
  for (const Preset& p : methods().list) names.push_back(p.name);
  f("method", method,
    "a method of arXiv 2410.16682: sets the switches of model; none: sets nothing", one_of(names));
  f("model", model, "the network");
  f("data", data, "what it is trained on");
  f("task", task, "what it learns");
  f("train", train, "the run");
  f("seed", seed, "randomness");
  f("optim", optim, "optimizer");
  f("schedule", schedule, "learning rate over time");
  f("clip", clip, "gradient clipping");
  f("eval", eval, "evaluation");
  f("checkpoint", checkpoint, "checkpoints");
  f("sample", sample, "samples of text");
  f("stop", stop, "early stop");
  f("log", log, "what is written down and how often");
}

void RunConfig::validate(Errors& errors) const {
  validate_qk_clip(errors);
  validate_momentum(errors);
  if (stop.patience > 0 && eval.every == 0) {
    errors.add("stop.patience",
               "counts evaluations, and there is one only, after the last step; set eval.every",
               {"eval.every"});
  }
  for (const Misfit& m : data.misfits(dataset_args())) {
    errors.add(m.key, m.text, m.others);
  }
  if (model.init.kind() == "mup") validate_mup(errors);
  const double tokens = static_cast<double>(train.steps) * static_cast<double>(sequences()) *
                        static_cast<double>(model.context);
  if (tokens <= kMostTokens) return validate_schedule(errors);
  errors.add("train.steps",
             fmt::format("{} steps of {} x {} tokens are more than {:g}, which cannot be counted",
                         train.steps, sequences(), model.context, kMostTokens),
             {"train.batch", "train.accumulate", "model.context"});
}

void RunConfig::validate_schedule(Errors& errors) const {
  if (schedule.steps > 0 && schedule.warmup > schedule.steps) return;  // is told already
  const int64_t steps = full_steps();
  const std::string misfit = schedule_misfit(schedule, steps);
  if (misfit.empty()) return;
  std::vector<std::string> others{"schedule.steps"};
  const bool of_the_kind = schedule.steps > 0 || schedule.warmup <= steps;
  if (of_the_kind) others.insert(others.end(), {"schedule.kind", "schedule.decay"});
  constexpr int64_t kOtherSteps = int64_t{1} << 40;
  if (misfit != schedule_misfit(schedule, kOtherSteps)) {
    others.insert(others.end(), {"train.steps", "train.batch_warmup"});
    if (train.batch_warmup.start > 0) {
      others.insert(others.end(), {"train.batch", "train.accumulate", "model.context"});
    }
  }
  errors.add("schedule.warmup", misfit, others);
}

void RunConfig::validate_momentum(Errors& errors) const {
  const auto* options = dynamic_cast<const ScheduleOptions*>(&schedule.kind.options());
  if (options == nullptr || !options->sets_momentum()) return;
  if (optim.kind.options_as<OptimizerOptions>().takes_momentum()) return;
  errors.add("schedule.cycle_momentum",
             fmt::format("optim.kind = \"{}\" has no momentum that a schedule could set; choose "
                         "\"adamw\", \"stable_adamw\" or \"sgd\" with momentum, or leave this off",
                         optim.kind.kind()),
             {"optim.kind", "optim.momentum"});
}

void RunConfig::validate_mup(Errors& errors) const {
  const auto& options = optim.kind.options_as<OptimizerOptions>();
  if (options.decays_with_rate()) {
    errors.add("optim.weight_decay",
               "muP's rates fall with the width, and a decay that goes with the rate would fall "
               "with them; set optim.decay = \"independent\" (1e-4 is usual then), or "
               "optim.weight_decay = 0",
               {"model.init.kind", "optim.kind", "optim.decay"});
  }
  if (const auto unlike = options.unlike_adam()) {
    errors.add(
        std::string("optim.") + unlike->key,
        fmt::format("muP's rates are those for updates of Adam's size, and {}; {} or another "
                    "model.init.kind",
                    unlike->is, unlike->instead),
        {"model.init.kind", "optim.kind"});
  }
}

void RunConfig::validate_qk_clip(Errors& errors) const {
  if (optim.qk_clip.tau > 0 && model.linear.kind() != "plain") {
    errors.add(
        "optim.qk_clip.tau",
        fmt::format("model.linear.kind = \"{}\" undoes what QK-clip does to the weights; set "
                    "optim.qk_clip.tau = 0 or model.linear.kind = \"plain\"",
                    model.linear.kind()),
        {"model.linear.kind"});
  }
  const auto* softmax = dynamic_cast<const SoftmaxMixer::Config*>(&model.attention.options());
  if (optim.qk_clip.tau > 0 && softmax && !softmax->qk_norm.is_none()) {
    errors.add("optim.qk_clip.tau",
               "QK-norm undoes what QK-clip does to the weights; set optim.qk_clip.tau = 0 or "
               "model.attention.qk_norm.kind = \"none\"",
               {"model.attention.kind", "model.attention.qk_norm.kind"});
  }
  if (optim.qk_clip.tau > 0 && model.position.kind() == "transformer_xl") {
    errors.add("optim.qk_clip.tau",
               "QK-clip scales the projections of queries and keys, and model.position.kind = "
               "\"transformer_xl\" has terms of the scores that come from neither; set "
               "optim.qk_clip.tau = 0 or another model.position.kind",
               {"model.position.kind"});
  }
}

DatasetArgs RunConfig::dataset_args() const {
  return {
      .context = model.context, .vocab = model.vocab, .seed = data_seed(), .lanes = sequences()};
}

int64_t RunConfig::full_steps() const {
  return (BatchRamp(*this).sequences_before(train.steps) + sequences() - 1) / sequences();
}

int64_t RunConfig::vocab() const {
  if (model.vocab > 0) return model.vocab;
  const auto known = data.vocab();
  if (known && *known > 0) return *known;
  throw ConfigError("model.vocab: data.kind \"" + data.reader.kind() +
                    "\" does not say how many token ids there are; set model.vocab");
}

}  // namespace keel
