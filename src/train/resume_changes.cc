#include "train/resume_changes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>

#include "config/print.h"
#include "core/error.h"
#include "train/trainer.h"

namespace keel {
namespace {

using Tensors = std::map<std::string, Shape>;

Tensors of_model(const Trainer& t) {
  Tensors out;
  for (const Parameter& p : t.model().parameters().list()) out[p.name] = p.shape;
  for (const Parameters::Buffer& b : t.model().parameters().buffers()) {
    out[b.name] = b.tensor.shape();
  }
  return out;
}

Tensors of_state(const Trainer& t) {
  Tensors out;
  for (const StateTensor& s : t.state()) out[s.name] = s.tensor.shape();
  return out;
}

// The first of the tensors needed that is not held, or not in that shape; or "".
std::string missing(const Tensors& held, const Tensors& needed) {
  for (const auto& [name, shape] : needed) {
    const auto it = held.find(name);
    if (it == held.end()) return fmt::format("it has no {}", name);
    if (it->second == shape) continue;
    return fmt::format("its {} is {}, not {}", name, it->second.str(), shape.str());
  }
  return "";
}

std::string misfit_of_model(const Tensors& held, const Tensors& needed) {
  std::string text = missing(held, needed);
  if (!text.empty()) return text;
  for (const auto& [name, shape] : held) {
    if (!needed.contains(name)) return fmt::format("its {} would have no place", name);
  }
  return "";
}

std::string line(const Difference& d) {
  const auto shown = [](const std::string& v) { return v.empty() ? "nothing" : v; };
  return fmt::format("{} = {} (was {})", d.key, shown(d.b), shown(d.a));
}

// Keys by which tensors of the same names and shapes stand for something else. SGD's momentum is a
// sum of gradients, that of the others a mean of gradients or of updates.
bool reinterprets(const Difference& d) {
  if (d.a.empty() || d.b.empty()) return false;
  if (d.key == "optim.kind" && (d.a == "\"sgd\"" || d.b == "\"sgd\"")) return true;
  return d.key.ends_with(".zero_centred") || d.key == "model.position.layout" ||
         d.key == "model.heads";
}

bool is_of_state(const std::string& key) {
  return key.starts_with("optim.") || key.starts_with("clip.") || key == "train.ema";
}

template <class Wanted>
[[noreturn]] void refuse(const std::string& checkpoint, const std::string& why,
                         const std::vector<Difference>& all, Wanted wanted) {
  std::vector<std::string> lines;
  for (const Difference& d : all) {
    if (wanted(d)) lines.push_back(line(d));
  }
  throw ConfigError(
      fmt::format("resume: {} does not fit the changed config: {}; leave these keys as they were, "
                  "or begin a new run:\n  {}",
                  checkpoint, why, fmt::join(lines, "\n  ")));
}

}  // namespace

std::vector<std::string> accept_changes(const RunConfig& then, const RunConfig& now,
                                        const std::string& checkpoint) {
  const std::vector<Difference> changed = diff_configs(then, now);
  std::vector<std::string> lines;
  lines.reserve(changed.size());
  for (const Difference& d : changed) lines.push_back(line(d));
  if (changed.empty()) return lines;
  const auto of_the_model = [](const Difference& d) {
    return d.key == "method" || d.key.starts_with("model.");
  };
  const Trainer before(then, nullptr, DeviceKind::kMeta, DType::kF32);
  const Trainer after(now, nullptr, DeviceKind::kMeta, DType::kF32);
  const std::string model = misfit_of_model(of_model(before), of_model(after));
  if (!model.empty()) refuse(checkpoint, model, changed, of_the_model);
  for (const Difference& d : changed) {
    if (!reinterprets(d)) continue;
    refuse(checkpoint, "the same numbers would stand for something else", changed, reinterprets);
  }
  const std::string state = missing(of_state(before), of_state(after));
  if (!state.empty()) {
    refuse(checkpoint, state, changed, [](const Difference& d) { return is_of_state(d.key); });
  }
  return lines;
}

}  // namespace keel
