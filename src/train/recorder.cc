#include "train/recorder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "io/utf8.h"
#include "train/environment.h"
#include "train/metric_names.h"

namespace keel {

Recorder::Recorder(const RunDir& dir, Fs& fs, const Trainer& trainer, int64_t resumed_at,
                   std::function<void(const std::string&)> warn)
    : fs_(fs),
      samples_folder_(dir.samples()),
      again_(resumed_at > 0 || fs.exists(dir.metrics())),
      store_(dir.path(), again_ ? resumed_at : -1),
      events_(fs, dir.events(), unix_time(), host_name()),
      warn_(std::move(warn)),
      sources_(trainer.data().source_names()) {
  for (size_t i = 0; i < trainer.probes().attention.size(); ++i) {
    const auto name = [i](std::string_view group) {
      return fmt::format("{}/layer{:02}", group, i);
    };
    layer_names_.push_back(
        {name(metric_name::kLogitMaxGroup), name(metric_name::kEntropyGroup),
         name(metric_name::kOutNormQkvGroup), name(metric_name::kOutNormProjGroup),
         name(metric_name::kOutNormFc1Group), name(metric_name::kOutNormFc2Group),
         name(metric_name::kUpdateRatioGroup)});
  }
  if (again_) {
    events_.session_start(unix_time(), resumed_at + 1);
    on_event(resumed_at, metric_name::kResumeEvent, fmt::format("from step {}", resumed_at));
  }
  store_.meta(metric_name::kParameters, std::to_string(trainer.model().parameters().count()));
  store_.meta("data", trainer.data().fingerprint());
  if (const auto floor = trainer.data().entropy_floor()) {
    store_.meta(metric_name::kEntropyFloor, fmt::format("{}", *floor));
  }
  pass_on_warning();
}

void Recorder::put(int64_t step, std::string_view name, double value) {
  store_.metric(step, name, value);
  events_.scalar(now_, step, name, static_cast<float>(value));
}

void Recorder::put_eval(int64_t step, std::string_view name, double value) {
  store_.eval(step, name, value);
  events_.scalar(now_, step, name, static_cast<float>(value));
}

void Recorder::put_probes(int64_t step, const Probes& probes) {
  for (size_t i = 0; i < probes.attention.size(); ++i) {
    const AttentionProbe& p = probes.attention[i];
    double largest = 0, entropy = 0;
    for (float v : p.logit_max) largest = std::max(largest, static_cast<double>(v));
    for (float v : p.entropy) entropy += static_cast<double>(v);
    const LayerNames& names = layer_names_[i];
    put(step, names.logit, largest);
    put(step, names.entropy, entropy / static_cast<double>(p.entropy.size()));
    const OutputProbe& out = probes.outputs[i];
    put(step, names.qkv, out.qkv);
    put(step, names.proj, out.proj);
    put(step, names.fc1, out.fc1);
    put(step, names.fc2, out.fc2);
    put(step, names.update, probes.update_ratio[i]);
  }
  put(step, metric_name::kUpdateRatioOfAll, probes.update_ratio_of_all);
}

void Recorder::on_start(const Trainer&, const StartMeasures& start) {
  const auto put = [&](std::string_view key, double value) {
    store_.meta(key, fmt::format("{}", value));
  };
  put(metric_name::kInitLogitRms, start.logit_rms);
  put(metric_name::kInitAttentionRms, start.attention_rms);
  put(metric_name::kInitFfnRms, start.ffn_rms);
}

void Recorder::on_step(const Trainer& trainer, const StepResult& r, double seconds) {
  now_ = unix_time();
  put(r.step, metric_name::kLoss, r.loss);
  put(r.step, metric_name::kGradNorm, r.grad_norm);
  put(r.step, metric_name::kRate, r.rate);
  const int64_t tokens = trainer.sequences_in(r.step) * trainer.config().model.context;
  store_.metric(r.step, metric_name::kTokens, static_cast<double>(tokens));
  if (seconds > 0) put(r.step, metric_name::kSpeed, static_cast<double>(r.tokens) / seconds);
  for (size_t i = 0; i < r.source_loss.size(); ++i) {
    if (std::isnan(r.source_loss[i])) continue;  // no row of it in this batch
    put(r.step, fmt::format("{}/{}", metric_name::kSourceLossGroup, sources_[i]), r.source_loss[i]);
  }
  if (trainer.probed()) put_probes(r.step, trainer.probes());
  store_.end_step();
  pass_on_warning();
}

void Recorder::on_eval(const Trainer&, const Evaluation& e) {
  now_ = unix_time();
  put_eval(e.step, metric_name::kValLoss, e.result.loss);
  if (e.averaged) put_eval(e.step, metric_name::kValLossAveraged, e.averaged->loss);
  for (size_t i = 0; i < e.result.source_loss.size(); ++i) {
    if (std::isnan(e.result.source_loss[i])) continue;  // a source for training alone
    put_eval(e.step, fmt::format("{}/{}", metric_name::kValSourceLossGroup, sources_[i]),
             e.result.source_loss[i]);
  }
}

void Recorder::on_sample(int64_t step, std::string_view text) {
  const std::string shown = valid_utf8(text);
  store_.sample(step, shown);
  events_.text(unix_time(), step, "sample", shown);
  if (samples_failed_) return;
  try {
    fs_.replace_file(join_path(samples_folder_, fmt::format("step-{:08}.txt", step)), text);
  } catch (const IoError& e) {
    samples_failed_ = true;
    warn_(e.what());
  }
}

// A checkpoint never stands without the numbers of the steps before it; whoever saves it brings
// them to disk, since that takes longer than a step may wait.
void Recorder::before_checkpoint(int64_t) {
  store_.commit();
  events_.flush();
  pass_on_warning();
}

void Recorder::on_checkpoint(int64_t step, const std::string& path) {
  store_.event(step, unix_time(), "save", path);
}

void Recorder::on_event(int64_t step, std::string_view kind, std::string_view text) {
  store_.event(step, unix_time(), kind, text);
  store_.flush();
  events_.flush();
  pass_on_warning();
}

void Recorder::pass_on_warning() {
  if (const std::string w = store_.take_warning(); !w.empty()) warn_(w);
  if (!events_failed_ && !events_.error().empty()) {
    events_failed_ = true;
    warn_(events_.error());
  }
}

}  // namespace keel
