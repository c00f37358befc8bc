// Mean losses of a model over data, without gradients: the one evaluation that training, `keel
// eval` and `keel data show` share.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/arena.h"
#include "core/batch.h"
#include "data/dataset.h"
#include "models/decoder.h"
#include "train/task.h"

namespace keel {

struct EvalResult {
  double loss = 0;  // mean over targets, nats
  int64_t tokens = 0;
  std::vector<double> source_loss;  // by data source; empty if there is one only; NaN where unseen
};

// A batch on the device.
struct BatchTensors {
  Tensor tokens, targets, segments;  // i32 [rows, length]
  Tensor weights;                    // f32 [rows, length]
  bool masked = false;               // segments are in force

  // Throws MemoryError.
  BatchTensors(int64_t rows, int64_t length, DeviceKind device);
  // Nothing is copied on kMeta.
  void load(const Batch& batch);
  // A pass over the tokens.
  Pass pass() const;
};

// Names a step's memory layout in an arena.
uint64_t step_signature(bool training, bool segments, bool probes);

// Sums over targets, by data source.
class SourceLosses {
 public:
  explicit SourceLosses(size_t sources) : sums_(sources), targets_(sources), means_(sources) {}
  void clear();
  // `losses`: of every target of the batch, nats; its weights say which ones count.
  void add(const Batch& batch, std::span<const float> losses);
  // Over all targets, nats; 0 without any.
  double mean() const;
  int64_t tokens() const;
  // By source, as EvalResult has it; valid until the next call. Allocates nothing.
  std::span<const double> means();

 private:
  std::vector<double> sums_, targets_, means_;
};

// Holds references: model, task, arena and inputs must outlive it.
class Evaluator {
 public:
  Evaluator(const Decoder& model, const Task& task, Arena& arena, BatchTensors& inputs)
      : model_(model), task_(task), arena_(arena), inputs_(inputs) {}
  // Over the validation windows, each target once; with `max_tokens` above 0 over whole batches
  // that hold about so many, spread over the split.
  EvalResult evaluate(const Dataset& data, int64_t max_tokens);
  // Mean over the targets of each row, nats; NaN for a row without targets. [rows]
  std::vector<double> row_losses(const Batch& batch);
  // Lays out the memory of an evaluation (kMeta).
  void plan();

 private:
  template <class F>
  void with_losses(F&& f);

  const Decoder& model_;
  const Task& task_;
  Arena& arena_;
  BatchTensors& inputs_;
  Batch batch_;
  std::vector<float> host_;  // losses, where the device's memory is not the host's
};

}  // namespace keel
