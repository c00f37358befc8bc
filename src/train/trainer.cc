#include "train/trainer.h"

#include <cmath>
#include <cstring>
#include <utility>

#include "core/error.h"
#include "core/parallel.h"
#include "core/philox.h"

namespace keel {
namespace {

Params params_of(const Decoder& model) {
  Params out;
  for (const Parameter& p : model.parameters().list()) {
    out.push_back({p.name, p.weight, p.grad, p.copy, p.shape.axes() >= 2});
  }
  return out;
}

Tensor token_tensor(const Shape& shape, DeviceKind device) {
  return persistent(shape, DType::kI32, device, "a batch");
}

double targets_in(const Batch& batch) {
  double n = 0;
  for (float w : batch.weights) n += static_cast<double>(w);
  return n;
}

}  // namespace

Trainer::Trainer(const RunConfig& config, const Dataset* data, DeviceKind device, DType compute)
    : config_(config),
      data_(data),
      device_(device),
      model_(config.model, data ? std::max(data->vocab(), config.model.vocab) : config.vocab(),
             device, compute),
      task_(tasks().make(config.task)),
      params_(params_of(model_)),
      optimizer_(optimizers().make(config.optim.kind, params_)),
      schedule_(make_schedule(config.schedule, config.train.steps)),
      tree_(model_.parameters().flat_grads(), config.train.accumulate),
      grad_norm_(std::vector<Tensor>{model_.parameters().flat_grads()}),
      arena_(device),
      batches_(static_cast<size_t>(config.train.accumulate)) {
  const Shape shape{config.train.batch, config.model.context};
  inputs_ = {token_tensor(shape, device), token_tensor(shape, device),
             persistent(shape, DType::kF32, device, "a batch"), token_tensor(shape, device)};
  probes_.attention.resize(static_cast<size_t>(config.model.layers));
  for (AttentionProbe& p : probes_.attention) {
    p.logit_max.resize(static_cast<size_t>(config.model.heads));
    p.entropy.resize(static_cast<size_t>(config.model.heads));
  }
  state_.seed_dropout = config.dropout_seed();
  model_.initialise(config.init_seed());
  if (config.train.ema > 0) {
    const Tensor& w = model_.parameters().flat_weights();
    average_ = persistent(w.shape(), DType::kF32, device, "the average of the weights");
    if (device == DeviceKind::kCpu) std::memcpy(average_.raw(), w.raw(), w.bytes());
  }
  const size_t sources = data ? data->source_names().size() : 1;
  source_sums_.resize(sources);
  source_targets_.resize(sources);
}

Trainer::~Trainer() = default;

uint64_t Trainer::signature(bool training, bool segments, bool probes) const {
  return mix64(static_cast<uint64_t>(training) | static_cast<uint64_t>(segments) << 1 |
               static_cast<uint64_t>(probes) << 2);
}

void Trainer::load(const Batch& batch, bool counts) {
  if (device_ != DeviceKind::kCpu) return;
  std::memcpy(inputs_.tokens.raw(), batch.inputs.data(), inputs_.tokens.bytes());
  std::memcpy(inputs_.targets.raw(), batch.targets.data(), inputs_.targets.bytes());
  if (counts) std::memcpy(inputs_.weights.raw(), batch.weights.data(), inputs_.weights.bytes());
  if (!batch.segments.empty()) {
    std::memcpy(inputs_.segments.raw(), batch.segments.data(), inputs_.segments.bytes());
  }
}

Pass Trainer::make_pass(bool segments) {
  Pass pass;
  pass.tokens = inputs_.tokens;
  if (segments) pass.segments = inputs_.segments;
  pass.probes = &probes_;
  return pass;
}

void Trainer::read_batches() {
  const int64_t first = steps_done_ * config_.sequences();
  for (size_t i = 0; i < batches_.size(); ++i) {
    data_->train_batch(first + static_cast<int64_t>(i) * config_.train.batch, config_.train.batch,
                       batches_[i]);
  }
}

void Trainer::begin_step() {
  double targets = 0;
  for (const Batch& b : batches_) targets += targets_in(b);
  state_.step = steps_done_;
  state_.micro_step = static_cast<uint64_t>(steps_done_);
  state_.factor = static_cast<float>(schedule_->factor(steps_done_));
  state_.rate = static_cast<float>(schedule_->factor(steps_done_) * optimizer_->peak_rate());
  state_.loss_scale = targets > 0 ? static_cast<float>(1.0 / targets) : 0.0f;
  state_.skip = 0;
  state_.nonfinite = 0;
  state_.clip_coefficient = 1;
  std::fill(source_sums_.begin(), source_sums_.end(), 0.0);
  std::fill(source_targets_.begin(), source_targets_.end(), 0.0);
}

// Forward and backward of one micro-batch; its gradient is left in the flat buffer. Returns the sum
// of the losses of its targets.
double Trainer::run_micro(int64_t micro, bool probes) {
  const Batch& batch = batches_[static_cast<size_t>(micro)];
  const bool segments = !batch.segments.empty();
  load(batch, true);
  state_.first_row = micro * config_.train.batch;
  probes_.wanted = probes;
  Parameters& parameters = model_.parameters();
  parameters.want_gradients(true);
  parameters.begin_gradients();
  double sum = 0;
  {
    ArenaScope scope(arena_, signature(true, segments, probes));
    Pass pass = make_pass(segments);
    pass.step = &state_;
    TaskLoss l = task_->loss(model_, pass, {inputs_.targets, inputs_.weights}, &state_);
    if (device_ == DeviceKind::kCpu) {
      add_losses(batch, l.rows);
      const float* rows = l.rows.data<float>();
      for (size_t i = 0; i < batch.weights.size(); ++i) {
        sum += static_cast<double>(batch.weights[i]) * static_cast<double>(rows[i]);
      }
    }
    l.rows = {};
    backward(l.loss);
  }
  parameters.finish_gradients();
  return sum;
}

void Trainer::add_losses(const Batch& batch, const Tensor& rows) {
  const float* loss = rows.data<float>();
  for (int64_t r = 0; r < batch.rows; ++r) {
    const size_t s = static_cast<size_t>(batch.source[static_cast<size_t>(r)]);
    for (int64_t i = r * batch.length; i < (r + 1) * batch.length; ++i) {
      const double w = static_cast<double>(batch.weights[static_cast<size_t>(i)]);
      if (w == 0) continue;
      source_sums_[s] += w * static_cast<double>(loss[i]);
      source_targets_[s] += w;
    }
  }
}

void Trainer::finish_losses(StepResult& result) const {
  double sum = 0, targets = 0;
  for (size_t i = 0; i < source_sums_.size(); ++i) {
    sum += source_sums_[i];
    targets += source_targets_[i];
    if (source_sums_.size() > 1) {
      result.source_loss.push_back(source_targets_[i] > 0 ? source_sums_[i] / source_targets_[i]
                                                          : std::nan(""));
    }
  }
  result.loss = targets > 0 ? sum / targets : 0.0;
  result.tokens = static_cast<int64_t>(targets);
}

StepResult Trainer::step() {
  read_batches();
  begin_step();
  const int64_t every = config_.log.probes;
  const bool probes = every > 0 && (steps_done_ + 1) % every == 0;
  for (int64_t i = 0; i < config_.train.accumulate; ++i) {
    run_micro(i, probes);
    tree_.add();
  }
  StepResult result;
  finish_losses(result);
  if (!std::isfinite(result.loss)) state_.skip = state_.nonfinite = 1;
  grad_norm_.compute(static_cast<float>(config_.clip.norm), &state_);
  optimizer_->step(&state_);
  result.finite = state_.nonfinite == 0;
  result.grad_norm = state_.grad_norm;
  result.rate = static_cast<double>(state_.rate);
  result.step = ++steps_done_;
  if (average_ && result.finite) update_average();
  return result;
}

double Trainer::gradient_of(int64_t micro) {
  read_batches();
  begin_step();
  return run_micro(micro, false);
}

void Trainer::update_average() {
  float* a = average_.data<float>();
  const float* w = model_.parameters().flat_weights().data<float>();
  const float keep = static_cast<float>(config_.train.ema);
  parallel_ranges(average_.size(), 1 << 15, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) a[i] = keep * a[i] + (1.0f - keep) * w[i];
  });
}

void Trainer::swap_average() {
  float* a = average_.data<float>();
  float* w = model_.parameters().flat_weights().data<float>();
  parallel_ranges(average_.size(), 1 << 15,
                  [&](int64_t begin, int64_t end) { std::swap_ranges(a + begin, a + end, w + begin); });
  model_.parameters().refresh_copies();
}

// Batches in an evaluation of about `max_tokens` targets (0: all), each batch counted whole.
int64_t Trainer::eval_batches(int64_t max_tokens) const {
  const int64_t per_batch = config_.train.batch * config_.model.context;
  const int64_t all = (data_->eval_windows() + config_.train.batch - 1) / config_.train.batch;
  return max_tokens > 0 ? std::min(all, (max_tokens + per_batch - 1) / per_batch) : all;
}

EvalResult Trainer::evaluate(int64_t max_tokens, bool averaged) {
  if (averaged) swap_average();
  NoGrad off;
  std::fill(source_sums_.begin(), source_sums_.end(), 0.0);
  std::fill(source_targets_.begin(), source_targets_.end(), 0.0);
  probes_.wanted = false;
  const int64_t rows = config_.train.batch, windows = data_->eval_windows();
  const int64_t batches = eval_batches(max_tokens);
  // A part of the windows is taken from all over the split, so that every source is seen.
  const bool part = batches * rows < windows;
  for (int64_t i = 0; i < batches; ++i) {
    data_->eval_batch(part ? i * windows / batches : i * rows, rows, eval_batch_);
    const bool segments = !eval_batch_.segments.empty();
    load(eval_batch_, true);
    ArenaScope scope(arena_, signature(false, segments, false));
    Pass pass = make_pass(segments);
    const TaskLoss l = task_->loss(model_, pass, {inputs_.targets, inputs_.weights}, nullptr);
    add_losses(eval_batch_, l.rows);
  }
  StepResult sums;
  finish_losses(sums);
  if (averaged) swap_average();
  return {sums.loss, sums.tokens, std::move(sums.source_loss)};
}

std::vector<StateTensor> Trainer::state() const {
  std::vector<StateTensor> out = optimizer_->state();
  if (average_) out.push_back({"average", average_});
  return out;
}

void Trainer::restored(int64_t steps_done) {
  steps_done_ = steps_done;
  tree_.reset();
  model_.parameters().refresh_copies();
}

MemoryUse Trainer::memory() const {
  MemoryUse m;
  const Parameters& p = model_.parameters();
  m.weights = static_cast<int64_t>(p.flat_weights().bytes());
  if (p.compute() == DType::kBf16) m.weights += m.weights / 2;
  m.gradients = static_cast<int64_t>(p.flat_grads().bytes());
  int64_t levels = 0;
  while ((int64_t{1} << levels) < config_.train.accumulate) ++levels;
  m.gradients *= 1 + levels;
  for (const StateTensor& s : state()) m.optimizer += static_cast<int64_t>(s.tensor.bytes());
  m.activations = static_cast<int64_t>(arena_.bytes());
  return m;
}

void Trainer::plan() {
  const bool mask = false;
  Parameters& parameters = model_.parameters();
  parameters.want_gradients(true);
  reset_counted_flops();
  {
    ArenaScope scope(arena_, signature(true, mask, false));
    parameters.begin_gradients();
    Pass pass = make_pass(mask);
    pass.step = &state_;
    TaskLoss l = task_->loss(model_, pass, {inputs_.targets, inputs_.weights}, &state_);
    l.rows = {};
    backward(l.loss);
  }
  training_flops_ = counted_flops();
  NoGrad off;
  ArenaScope scope(arena_, signature(false, mask, false));
  Pass pass = make_pass(mask);
  task_->loss(model_, pass, {inputs_.targets, inputs_.weights}, nullptr);
}

}  // namespace keel
