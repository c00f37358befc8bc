#include "train/task.h"

#include "ops/cross_entropy.h"
#include "ops/reshape.h"

namespace keel {
namespace {

// Next-token prediction.
class CausalLm final : public Task {
 public:
  using Config = NoOptions;
  explicit CausalLm(const Config&) {}
  TaskLoss loss(const Decoder& model, Pass& pass, const TaskBatch& batch,
                const StepState* state) const override {
    const Var hidden = model.hidden(pass);
    const int64_t n = hidden.t.rows();
    CrossEntropy ce = head_loss(reshape(hidden, {n, hidden.t.dim(-1)}), model.head(),
                                batch.targets.view({n}), batch.weights.view({n}), state);
    return {ce.loss, ce.rows};
  }
};

}  // namespace

// THE list of tasks.
const Registry<Task>& tasks() {
  using R = Registry<Task>;
  static const R r{"task", {R::entry<CausalLm>("causal_lm", "predict the next token")}};
  return r;
}

}  // namespace keel
