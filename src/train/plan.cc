#include "train/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <string_view>

#include "backend/cpu/gemm.h"
#include "backend/devices.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/stop.h"
#include "nn/ffn/ffn.h"
#include "train/checkpoint_state.h"

namespace keel {
namespace {

// Compiled kernels of oneDNN, the program's own pages, buffers of metrics and event files.
constexpr int64_t kProgramBytes = int64_t{24} << 20;

int64_t ffn_parameters(const Decoder& model) {
  int64_t n = 0;
  for (const Parameter& p : model.parameters().list()) {
    if (p.name.find(".ffn.") != std::string::npos && p.shape.axes() > 1) n += p.shape.size();
  }
  return n;
}

// The fastest of a few training steps of the config's model in that dtype, on random tokens: at
// most about 2,048 of them, enough to tell and little memory. Shards do not say how many ids they
// hold before they are read: GPT-2's are assumed.
double seconds_of_step(const RunConfig& config, DType type) {
  RunConfig c = config;
  const int64_t known = c.data.vocab().value_or(0);
  if (c.model.vocab == 0) c.model.vocab = known > 0 ? known : 50257;
  c.data.reader.select("random");
  c.train.batch = std::clamp<int64_t>(2048 / c.model.context, 1, c.train.batch);
  c.train.accumulate = 1;
  const auto data = Dataset::open(c.data, c.dataset_args());
  Trainer trainer(c, data.get(), DeviceKind::kCpu, type);
  double best = 1e30;
  for (int i = 0; i < 5; ++i) {
    stop_point();
    const auto begin = std::chrono::steady_clock::now();
    trainer.step();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    if (i > 1) best = std::min(best, took.count());
  }
  return best;
}

}  // namespace

Plan make_plan(const RunConfig& config, DType compute) {
  const int64_t before = heap_bytes_alive();
  Trainer meta(config, nullptr, DeviceKind::kMeta, compute);
  meta.plan();
  Plan plan;
  plan.parameters = meta.model().parameters().count();
  plan.ffn_parameters = ffn_parameters(meta.model());
  plan.plain_ffn_parameters = 8 * config.model.dim * config.model.dim * config.model.layers;
  plan.bytes = meta.memory();
  plan.other_bytes = heap_bytes_alive() - before - plan.lasting_bytes();
  plan.copy_bytes = CheckpointState::copy_bytes(meta);
  plan.working_bytes = kProgramBytes;
  plan.flops_per_token = meta.training_flops() / (config.train.batch * config.model.context);
  plan.update_flops = meta.update_flops();
  return plan;
}

void check_memory(const Plan& plan, uint64_t available_bytes) {
  const int64_t need = plan.total_bytes();
  if (available_bytes == 0 || need <= static_cast<int64_t>(available_bytes)) return;
  constexpr double kMib = 1024.0 * 1024.0;
  throw MemoryError(fmt::format(
      "the run needs {:.0f} MiB and {:.0f} MiB are available: weights {:.0f}, gradients {:.0f}, "
      "optimizer {:.0f}, activations {:.0f}, copy for checkpoints {:.0f}, working memory {:.0f}; a "
      "smaller train.batch (with train.accumulate), model.context or model.dim needs less{}",
      need / kMib, double(available_bytes) / kMib, plan.bytes.weights / kMib,
      plan.bytes.gradients / kMib, plan.bytes.optimizer / kMib, plan.bytes.activations / kMib,
      plan.copy_bytes / kMib, (plan.other_bytes + plan.working_bytes) / kMib,
      plan.copy_bytes > 0 ? ", so does checkpoint.async = false" : ""));
}

DType resolve_dtype(const RunConfig& config, std::string& reason) {
  const std::string& wanted = config.train.dtype;
  if (wanted == "f32") return DType::kF32;
  const bool has = cpu_has_bf16();
  if (wanted == "bf16") {
    if (has) return DType::kBf16;
    throw DeviceError(fmt::format(
        "train.dtype: bf16 products need AVX512-BF16 or AMX, oneDNN may use {} here; set "
        "train.dtype = \"f32\"",
        onednn_isa()));
  }
  if (!has) {
    reason = fmt::format("f32: no bf16 products here ({})", onednn_isa());
    return DType::kF32;
  }
  const double f32 = seconds_of_step(config, DType::kF32);
  const double bf16 = seconds_of_step(config, DType::kBf16);
  const bool faster = bf16 * 1.1 < f32;
  reason = fmt::format("{}: a step takes {:.3g} ms in f32, {:.3g} ms in bf16",
                       faster ? "bf16" : "f32", f32 * 1e3, bf16 * 1e3);
  return faster ? DType::kBf16 : DType::kF32;
}

DeviceKind resolve_device(const RunConfig& config) { return device_named(config.train.device); }

}  // namespace keel
