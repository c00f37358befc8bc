#include "train/evaluate.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

#include "core/device_memory.h"
#include "core/philox.h"
#include "core/stop.h"

namespace keel {
namespace {

Tensor batch_tensor(int64_t rows, int64_t length, DType type, DeviceKind device) {
  return persistent({rows, length}, type, device, "a batch");
}

}  // namespace

BatchTensors::BatchTensors(int64_t rows, int64_t length, DeviceKind device)
    : tokens(batch_tensor(rows, length, DType::kI32, device)),
      targets(batch_tensor(rows, length, DType::kI32, device)),
      segments(batch_tensor(rows, length, DType::kI32, device)),
      weights(batch_tensor(rows, length, DType::kF32, device)) {}

void BatchTensors::load(const Batch& batch) {
  masked = !batch.segments.empty();
  write(tokens, batch.inputs.data());
  write(targets, batch.targets.data());
  write(weights, batch.weights.data());
  if (masked) write(segments, batch.segments.data());
}

Pass BatchTensors::pass() const {
  Pass p;
  p.tokens = tokens;
  if (masked) p.segments = segments;
  return p;
}

uint64_t step_signature(bool training, bool segments, bool probes) {
  return mix64(static_cast<uint64_t>(training) | static_cast<uint64_t>(segments) << 1 |
               static_cast<uint64_t>(probes) << 2);
}

void SourceLosses::clear() {
  std::fill(sums_.begin(), sums_.end(), 0.0);
  std::fill(targets_.begin(), targets_.end(), 0.0);
}

void SourceLosses::add(const Batch& batch, std::span<const float> losses) {
  for (int64_t r = 0; r < batch.rows; ++r) {
    const size_t s = static_cast<size_t>(batch.source[static_cast<size_t>(r)]);
    for (int64_t i = r * batch.length; i < (r + 1) * batch.length; ++i) {
      const double w = static_cast<double>(batch.weights[static_cast<size_t>(i)]);
      if (w == 0) continue;
      sums_[s] += w * static_cast<double>(losses[static_cast<size_t>(i)]);
      targets_[s] += w;
    }
  }
}

double SourceLosses::mean() const {
  const double targets = std::accumulate(targets_.begin(), targets_.end(), 0.0);
  return targets > 0 ? std::accumulate(sums_.begin(), sums_.end(), 0.0) / targets : 0.0;
}

int64_t SourceLosses::tokens() const {
  return static_cast<int64_t>(std::accumulate(targets_.begin(), targets_.end(), 0.0));
}

std::span<const double> SourceLosses::means() {
  if (sums_.size() == 1) return {};
  for (size_t i = 0; i < sums_.size(); ++i) {
    means_[i] = targets_[i] > 0 ? sums_[i] / targets_[i] : std::nan("");
  }
  return means_;
}

// f(losses of all targets) of the batch that is loaded.
template <class F>
void Evaluator::with_losses(F&& f) {
  NoGrad off;
  ArenaScope scope(arena_, step_signature(false, inputs_.masked, false));
  Pass pass = inputs_.pass();
  const TaskLoss l = task_.loss(model_, pass, {inputs_.targets, inputs_.weights}, nullptr);
  f(l.rows);
}

EvalResult Evaluator::evaluate(const Dataset& data, int64_t max_tokens) {
  SourceLosses losses(data.source_names().size());
  const int64_t rows = inputs_.tokens.dim(0), per_batch = inputs_.tokens.size();
  const int64_t windows = data.eval_windows(), all = (windows + rows - 1) / rows;
  const int64_t batches =
      max_tokens > 0 ? std::min(all, (max_tokens + per_batch - 1) / per_batch) : all;
  // A part of the windows is taken from all over the split, so that every source is seen.
  const bool part = batches < all;
  for (int64_t i = 0; i < batches; ++i) {
    stop_point();
    data.eval_batch(part ? i * windows / batches : i * rows, rows, batch_);
    inputs_.load(batch_);
    with_losses([&](const Tensor& l) { losses.add(batch_, host_values(l, host_)); });
  }
  const std::span<const double> means = losses.means();
  return {losses.mean(), losses.tokens(), {means.begin(), means.end()}};
}

std::vector<double> Evaluator::row_losses(const Batch& batch) {
  std::vector<double> out;
  inputs_.load(batch);
  with_losses([&](const Tensor& l) {
    const std::span<const float> loss = host_values(l, host_);
    for (int64_t r = 0; r < batch.rows; ++r) {
      double sum = 0, targets = 0;
      for (int64_t i = r * batch.length; i < (r + 1) * batch.length; ++i) {
        const double w = static_cast<double>(batch.weights[static_cast<size_t>(i)]);
        if (w == 0) continue;
        sum += w * static_cast<double>(loss[static_cast<size_t>(i)]);
        targets += w;
      }
      out.push_back(targets > 0 ? sum / targets : std::nan(""));
    }
  });
  return out;
}

void Evaluator::plan() {
  with_losses([](const Tensor&) {});
}

}  // namespace keel
