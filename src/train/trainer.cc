#include "train/trainer.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "core/device_memory.h"
#include "core/error.h"
#include "core/philox.h"
#include "data/config.h"
#include "ops/average.h"
#include "ops/copy.h"

namespace keel {
namespace {

// Of the copy of weights at a probed step; step_signature() mixes the three bits below this one.
constexpr uint64_t kUpdateSignature = mix64(uint64_t{1} << 3);

Group group_of(const Parameter& p) {
  if (p.shape.axes() < 2) return Group::kVector;
  switch (p.role) {
    case Role::kEmbedding:
    case Role::kPosition:
      return Group::kEmbedding;
    case Role::kHead:
      return Group::kHead;
    case Role::kGain:
    case Role::kBias:
      return Group::kVector;
    default:
      return Group::kMatrix;
  }
}

Params params_of(const Decoder& model, const GroupsConfig& groups) {
  Params out;
  for (const Parameter& p : model.parameters().list()) {
    const Group group = group_of(p);
    const GroupConfig& c = groups.of(group);
    const double rate = c.rate * model.rate_factor(p);
    out.push_back({p.name, p.weight, p.grad, p.copy, c.decay, rate, group});
  }
  return out;
}

std::optional<QkClip> qk_clip_of(const RunConfig& config, const Params& params) {
  if (config.optim.qk_clip.tau <= 0) return {};
  std::vector<QkClip::Layer> layers;
  for (int64_t i = 0; i < config.model.layers; ++i) {
    const auto find = [&](const char* what) -> const Param* {
      const std::string name = fmt::format("blocks.{}.attention.{}", i, what);
      for (const Param& p : params) {
        if (p.name == name) return &p;
      }
      return nullptr;
    };
    layers.push_back({find("q.weight"), find("k.weight"), find("q.bias"), find("k.bias")});
  }
  return QkClip(config.optim.qk_clip.tau, config.model.heads, config.model.kv_heads_in_force(),
                layers);
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
      params_(params_of(model_, config.optim.groups)),
      optimizer_(optimizers().make(config.optim.kind, params_)),
      schedule_(make_schedule(config.schedule, config.full_steps(), config.model.dim)),
      tree_(model_.parameters().flat_grads(), config.train.accumulate),
      clip_(clips().make(config.clip.kind, {params_, model_.parameters().flat_grads()})),
      qk_clip_(qk_clip_of(config, params_)),
      ramp_(config),
      update_probe_(params_, config.model.layers),
      arena_(device),
      step_memory_(state_, device),
      inputs_(config.train.batch, config.model.context, device),
      evaluator_(model_, *task_, arena_, inputs_),
      batches_(static_cast<size_t>(config.train.accumulate)),
      losses_(data ? data->source_names().size() : 1) {
  const auto layers = static_cast<size_t>(config.model.layers);
  probes_.attention.resize(layers);
  probes_.outputs.resize(layers);
  probes_.update_ratio.resize(layers);
  for (AttentionProbe& p : probes_.attention) {
    p.logit_max.resize(static_cast<size_t>(config.model.heads));
    p.entropy.resize(static_cast<size_t>(config.model.heads));
    p.logit_rms.resize(static_cast<size_t>(config.model.heads));
  }
  state_.seed_dropout = config.dropout_seed();
  model_.initialise(config.init_seed());
  if (config.train.ema > 0) {
    const Tensor& w = model_.parameters().flat_weights();
    average_ = persistent(w.shape(), DType::kF32, device, "the average of the weights");
  }
}

Trainer::~Trainer() = default;

Pass Trainer::make_pass() {
  Pass pass = inputs_.pass();
  pass.probes = &probes_;
  pass.step = step_memory_.pointer();
  return pass;
}

void Trainer::read_batches() {
  const int64_t first = ramp_.sequences_before(steps_done_);
  micro_batches_ = ramp_.micro_batches(steps_done_);
  for (int64_t i = 0; i < micro_batches_; ++i) {
    data_->train_batch(first + i * config_.train.batch, config_.train.batch,
                       batches_[static_cast<size_t>(i)]);
  }
}

void Trainer::begin_step() {
  double targets = 0;
  for (int64_t i = 0; i < micro_batches_; ++i) {
    targets += targets_in(batches_[static_cast<size_t>(i)]);
  }
  state_.step = steps_done_;
  state_.micro_step = static_cast<uint64_t>(steps_done_);
  const double clock = ramp_.clock(steps_done_);
  const double factor = schedule_->factor(clock);
  state_.momentum = schedule_->momentum(clock).value_or(-1);
  state_.factor = static_cast<float>(factor);
  state_.rate = static_cast<float>(factor * optimizer_->peak_rate() * schedule_->scale());
  state_.loss_scale = targets > 0 ? static_cast<float>(1.0 / targets) : 0.0f;
  state_.skip = 0;
  state_.nonfinite = 0;
  state_.clip_coefficient = 1;
  losses_.clear();
}

// Forward and backward of one micro-batch; its gradient is left in the flat buffer. Returns the sum
// of the losses of its targets.
double Trainer::run_micro(int64_t micro, bool probes) {
  const Batch& batch = batches_[static_cast<size_t>(micro)];
  inputs_.load(batch);
  state_.first_row = micro * config_.train.batch;
  step_memory_.push();
  probes_.wanted = probes;
  // What is read afterwards is that of the last micro-batch.
  probes_.outputs_wanted = probes && probed_ && micro + 1 == micro_batches_;
  Parameters& parameters = model_.parameters();
  parameters.want_gradients(true);
  parameters.begin_gradients();
  double sum = 0;
  {
    ArenaScope scope(arena_, step_signature(true, inputs_.masked, probes));
    const TapeScope tape;
    Pass pass = make_pass();
    TaskLoss l =
        task_->loss(model_, pass, {inputs_.targets, inputs_.weights}, step_memory_.pointer());
    const std::span<const float> rows = host_values(l.rows, host_);
    losses_.add(batch, rows);
    for (size_t i = 0; i < rows.size(); ++i) {
      sum += static_cast<double>(batch.weights[i]) * static_cast<double>(rows[i]);
    }
    l.rows = {};
    backward(l.loss);
  }
  parameters.finish_gradients();
  return sum;
}

StepResult Trainer::step() {
  if (average_ && steps_done_ == 0) start_average();
  read_batches();
  begin_step();
  tree_.begin(micro_batches_);
  if (qk_clip_) qk_clip_->begin();
  const int64_t every = config_.log.probes;
  probed_ = every > 0 && (steps_done_ + 1) % every == 0;
  for (int64_t i = 0; i < micro_batches_; ++i) {
    run_micro(i, probed_ || qk_clip_);
    tree_.add();
    if (qk_clip_) qk_clip_->note(probes_);
  }
  StepResult result;
  result.loss = losses_.mean();
  result.tokens = micro_batches_ * config_.train.batch * config_.model.context;
  result.source_loss = losses_.means();
  if (!std::isfinite(result.loss)) state_.skip = state_.nonfinite = 1;
  if (probed_) {
    measured_update();
  } else {
    update();
  }
  result.finite = state_.nonfinite == 0;
  result.grad_norm = state_.grad_norm;
  result.rate = static_cast<double>(state_.rate);
  result.step = ++steps_done_;
  if (average_ && result.finite) update_average();
  return result;
}

void Trainer::update() {
  StepState* state = step_memory_.pointer();
  step_memory_.push();
  clip_->compute(state);
  optimizer_->step(state);
  if (qk_clip_) qk_clip_->apply(state);
  step_memory_.pull();
}

void Trainer::measured_update() {
  const ArenaScope scope(arena_, kUpdateSignature);
  const Tensor before = update_probe_.copy();
  update();
  update_probe_.compare(before, probes_);
}

// A forward pass whose outputs and attention scores are measured.
void Trainer::look() {
  const NoGrad off;
  const ArenaScope scope(arena_, step_signature(false, inputs_.masked, true));
  probes_.wanted = probes_.outputs_wanted = true;
  for (AttentionProbe& p : probes_.attention) p.rms_wanted = true;
  Pass pass = inputs_.pass();
  pass.probes = &probes_;
  model_.hidden(pass);
  for (AttentionProbe& p : probes_.attention) p.rms_wanted = false;
  probes_.wanted = probes_.outputs_wanted = false;
}

StartMeasures Trainer::measure_start() {
  data_->train_batch(0, config_.train.batch, batches_[0]);
  inputs_.load(batches_[0]);
  look();
  StartMeasures out;
  const double layers = static_cast<double>(probes_.outputs.size());
  for (const OutputProbe& p : probes_.outputs) {
    out.attention_rms += p.proj / layers;
    out.ffn_rms += p.fc2 / layers;
  }
  for (const AttentionProbe& p : probes_.attention) {
    double square = 0;  // of all heads: they have equally many pairs
    for (const float x : p.logit_rms) square += static_cast<double>(x) * static_cast<double>(x);
    out.logit_rms += std::sqrt(square / static_cast<double>(p.logit_rms.size())) / layers;
  }
  return out;
}

double Trainer::gradient_of(int64_t micro) {
  read_batches();
  begin_step();
  return run_micro(micro, false);
}

// From the weights of the first step, which may have been loaded after the model was made.
void Trainer::start_average() {
  const Tensor& w = model_.parameters().flat_weights();
  on_device(w, [&](auto& dev) { kernel::copy(dev, {w, {average_}}); });
}

void Trainer::update_average() {
  const Tensor& w = model_.parameters().flat_weights();
  const float keep = static_cast<float>(config_.train.ema);
  on_device(w, [&](auto& dev) { kernel::update_average(dev, {average_, w, keep}); });
}

void Trainer::swap_average() {
  const Tensor& w = model_.parameters().flat_weights();
  on_device(w, [&](auto& dev) { kernel::swap(dev, {average_, w}); });
  model_.parameters().refresh_copies();
}

EvalResult Trainer::evaluate(int64_t max_tokens, bool averaged) {
  probes_.wanted = probed_ = false;
  if (!averaged) return evaluator_.evaluate(*data_, max_tokens);
  // Swapped back even when the evaluation throws.
  struct Swapped {
    Trainer& trainer;
    explicit Swapped(Trainer& t) : trainer(t) { trainer.swap_average(); }
    ~Swapped() { trainer.swap_average(); }
  };
  if (steps_done_ == 0) start_average();
  const Swapped swapped(*this);
  return evaluator_.evaluate(*data_, max_tokens);
}

std::vector<StateTensor> Trainer::state() const {
  std::vector<StateTensor> out = optimizer_->state();
  for (StateTensor& t : clip_->state()) out.push_back(std::move(t));
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
  m.weights += p.buffer_bytes();
  m.gradients = static_cast<int64_t>(p.flat_grads().bytes());
  int64_t levels = 0;
  while ((int64_t{1} << levels) < config_.train.accumulate) ++levels;
  m.gradients *= 1 + levels;
  for (const StateTensor& s : state()) m.optimizer += static_cast<int64_t>(s.tensor.bytes());
  m.optimizer += optimizer_->working_bytes();
  m.activations = static_cast<int64_t>(arena_.bytes());
  return m;
}

void Trainer::lay_out_training(bool probes) {
  Parameters& parameters = model_.parameters();
  parameters.want_gradients(true);
  probes_.wanted = probes;
  ArenaScope scope(arena_, step_signature(true, inputs_.masked, probes));
  const TapeScope tape;
  parameters.begin_gradients();
  Pass pass = make_pass();
  TaskLoss l =
      task_->loss(model_, pass, {inputs_.targets, inputs_.weights}, step_memory_.pointer());
  l.rows = {};
  backward(l.loss);
}

void Trainer::lay_out_measures() {
  look();
  const ArenaScope scope(arena_, kUpdateSignature);
  update_probe_.copy();
}

// Every kind of step that the run will take, so that none asks for memory later.
void Trainer::plan() {
  inputs_.masked = config_.data.masks_documents();
  reset_counted_flops();
  lay_out_training(qk_clip_.has_value());
  training_flops_ = counted_flops();
  reset_counted_flops();
  optimizer_->step(step_memory_.pointer());
  update_flops_ = counted_flops();
  if (config_.log.probes > 0) {
    if (!qk_clip_) lay_out_training(true);
    lay_out_measures();
  }
  evaluator_.plan();
}

}  // namespace keel
