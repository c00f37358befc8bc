#include "train/task.h"

#include "ops/add.h"
#include "ops/cross_entropy.h"
#include "ops/reshape.h"

namespace keel {
namespace {

// Next-token prediction. What is added to the loss in training is no part of the losses that are
// reported, in training or evaluation: those are the cross-entropy alone, in nats.
class CausalLm final : public Task {
 public:
  struct Config final : keel::Config {
    double z_loss = 0, label_smoothing = 0;
    void fields(Fields& f) override {
      f("z_loss", z_loss,
        "adds this times (log Z)^2 to the training loss (arXiv 2204.02311 has 1e-4)", at_least(0));
      f("label_smoothing", label_smoothing,
        "share of a target that is spread evenly over the vocabulary, in the training loss",
        at_least(0).below(1));
    }
  };
  explicit CausalLm(const Config& config) : config_(config) {}
  TaskLoss loss(const Decoder& model, Pass& pass, const TaskBatch& batch,
                const StepState* state) const override {
    const Var hidden = model.hidden(pass);
    const int64_t n = hidden.t.rows();
    HeadOptions options = model.head_options();
    if (state) {
      options.z_loss = static_cast<float>(config_.z_loss);
      options.smoothing = static_cast<float>(config_.label_smoothing);
    }
    CrossEntropy ce =
        head_loss(reshape(hidden, {n, hidden.t.dim(-1)}), model.head(), batch.targets.view({n}),
                  batch.weights.view({n}), state, 0, options, model.head_bias());
    return {pass.penalty ? add(ce.loss, pass.penalty) : ce.loss, ce.rows};
  }

 private:
  Config config_;
};

}  // namespace

// THE list of tasks.
const Registry<Task>& tasks() {
  using R = Registry<Task>;
  static const R r{"task", {R::entry<CausalLm>("causal_lm", "predict the next token")}};
  return r;
}

}  // namespace keel
