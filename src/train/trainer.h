// A model being trained: one object with step(), driven by the command line, the lab and Python
// alike. Everything that a step depends on is in the tensors of state(), the step's number and the
// config, so a trainer restored from them goes on with the same bits.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/arena.h"
#include "core/batch.h"
#include "core/step_memory.h"
#include "data/dataset.h"
#include "models/decoder.h"
#include "optim/gradient_tree.h"
#include "optim/qk_clip.h"
#include "train/batch_ramp.h"
#include "train/config.h"
#include "train/evaluate.h"
#include "train/update_probe.h"

namespace keel {

struct StepResult {
  int64_t step = 0;      // optimizer steps done, this one included
  double loss = 0;       // mean over the targets of the global batch, nats
  double grad_norm = 0;  // before clipping
  double rate = 0;
  int64_t tokens = 0;  // read in the global batch, whether or not their targets count
  bool finite = true;  // false: loss or gradient is not finite, and nothing was updated
  // By data source; empty if there is one only; NaN where unseen. Valid until the next step.
  std::span<const double> source_loss;
};

// Of a model before its first step, means over the layers: root mean squares of the attention
// scores over visible pairs (after the scale, before cap, bias, mask and sink; over all heads) and
// of what the two branches give, before the residual scheme weighs or norms it.
struct StartMeasures {
  double logit_rms = 0, attention_rms = 0, ffn_rms = 0;
};

struct MemoryUse {
  int64_t weights = 0, gradients = 0, optimizer = 0, activations = 0;  // bytes
};

class Trainer {
 public:
  // `compute`: f32 or bf16, resolved. `data` is null only on kMeta. Throws MemoryError,
  // DeviceError.
  Trainer(const RunConfig& config, const Dataset* data, DeviceKind device, DType compute);
  ~Trainer();
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  StepResult step();
  // Mean loss over the validation targets (all, or `max_tokens` rounded up to whole batches spread
  // over the split), each once. With `averaged`: of the moving average of the weights.
  EvalResult evaluate(int64_t max_tokens, bool averaged = false);
  // On the first training micro-batch, computed as in evaluation: without dropout, BatchNorm by its
  // running statistics. Before the first step; changes no number of the run.
  StartMeasures measure_start();
  // The gradient of micro-batch `micro` of the next step alone, in parameters().flat_grads().
  double gradient_of(int64_t micro);

  int64_t steps_done() const { return steps_done_; }
  // Training sequences of the first `steps` steps.
  int64_t sequences_in(int64_t steps) const { return ramp_.sequences_before(steps); }
  bool averages() const { return static_cast<bool>(average_); }
  Decoder& model() { return model_; }
  const Decoder& model() const { return model_; }
  const RunConfig& config() const { return config_; }
  const Dataset& data() const { return *data_; }
  const Probes& probes() const { return probes_; }  // of the last step that read them
  bool probed() const { return probed_; }           // was the last step one that is to be read

  // Tensors that a checkpoint must hold beside the weights, by name.
  std::vector<StateTensor> state() const;
  // After weights and state() were written into: the step to go on from.
  void restored(int64_t steps_done);

  MemoryUse memory() const;
  // Lays out the memory of training and evaluation steps without computing (kMeta only).
  void plan();
  // Flops of one training micro-batch, counted by plan().
  int64_t training_flops() const { return training_flops_; }
  // Flops of the optimizer's products in one step, counted by plan(): those of Newton and Schulz.
  // Rules that take each weight once are not counted, they wait for memory.
  int64_t update_flops() const { return update_flops_; }
  void adopt_layouts(const Trainer& planned) { arena_.adopt(planned.arena_); }
  // Takes the memory of all steps whose layouts are known, before the first one. Throws
  // MemoryError.
  void take_memory() { arena_.reserve(); }

 private:
  void lay_out_training(bool probes);
  void lay_out_measures();
  void begin_step();
  void read_batches();
  Pass make_pass();
  double run_micro(int64_t micro, bool probes);
  void look();
  void update();
  void measured_update();
  void start_average();
  void update_average();
  void swap_average();

  RunConfig config_;
  const Dataset* data_;
  DeviceKind device_;
  Decoder model_;
  std::unique_ptr<Task> task_;
  Params params_;
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<Schedule> schedule_;
  GradientTree tree_;
  std::unique_ptr<Clip> clip_;
  std::optional<QkClip> qk_clip_;
  BatchRamp ramp_;
  UpdateProbe update_probe_;
  Arena arena_;
  StepState state_;
  StepMemory step_memory_;  // state_ as kernels see it
  BatchTensors inputs_;
  Evaluator evaluator_;
  std::vector<Batch> batches_;
  int64_t micro_batches_ = 0;  // of the step under way; batches_ holds as many
  Tensor average_;             // flat, like the weights; empty without train.ema
  Probes probes_;
  bool probed_ = false;
  int64_t steps_done_ = 0;
  int64_t training_flops_ = 0, update_flops_ = 0;
  SourceLosses losses_;      // of the step under way
  std::vector<float> host_;  // losses of a micro-batch, where the device's memory is not the host's
};

}  // namespace keel
