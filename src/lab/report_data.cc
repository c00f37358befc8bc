#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "config/load.h"
#include "core/error.h"
#include "io/fs.h"
#include "io/utf8.h"
#include "lab/page_file.h"
#include "lab/report.h"
#include "lab/techniques/block.h"
#include "train/metric_names.h"

namespace keel {
namespace {

constexpr size_t kGroupPoints = 24000;  // for all the lines of one group's chart together
constexpr size_t kMinPoints = 200;
constexpr size_t kMaxSamples = 40;
constexpr size_t kMaxEvents = 500;
constexpr size_t kBadListed = 200;
constexpr uint64_t kMaxConfigBytes = 1 << 20;

// Six significant digits are more than a screen shows and keep the page small.
Json rounded(double value) {
  if (!std::isfinite(value)) return nullptr;
  const double text = std::strtod(fmt::format("{:.6g}", value).c_str(), nullptr);
  if (text == std::floor(text) && std::fabs(text) < 1e15) return static_cast<int64_t>(text);
  return text;
}

const char* kind_of(double value) { return std::isnan(value) ? "NaN" : value > 0 ? "∞" : "−∞"; }

Json curve_json(const Curve& full, size_t max_points) {
  const Curve curve = downsample(full, max_points);
  Json x = Json::array(), y = Json::array(), bad = Json::array();
  for (size_t i = 0; i < curve.size(); ++i) {
    x.push(curve.steps[i]);
    y.push(rounded(curve.values[i]));
    if (!std::isfinite(curve.values[i]) && bad.as_array().size() < kBadListed) {
      bad.push(Json::array().push(curve.steps[i]).push(kind_of(curve.values[i])));
    }
  }
  const auto count = std::count_if(full.values.begin(), full.values.end(),
                                   [](double value) { return !std::isfinite(value); });
  Json out = Json::object();
  out.set("x", std::move(x)).set("y", std::move(y)).set("points", full.size());
  if (count > 0) out.set("bad", std::move(bad)).set("bad_count", static_cast<int64_t>(count));
  return out;
}

// "attn_entropy" of "attn_entropy/layer00", empty for a name without a group.
std::string_view group_of(std::string_view name) {
  const size_t slash = name.find('/');
  return slash == std::string_view::npos ? std::string_view() : name.substr(0, slash);
}

Json curves_json(const RunData& run, const ReportOptions& options) {
  std::map<std::string_view, size_t> members;
  for (const auto* curves : {&run.metrics, &run.evals}) {
    for (const auto& [name, curve] : *curves) ++members[group_of(name)];
  }
  Json out = Json::object();
  const auto add = [&](const std::string& name, const Curve& curve) {
    const std::string_view group = group_of(name);
    const size_t share = group.empty() ? options.max_points : kGroupPoints / members[group];
    out.set(name, curve_json(curve, std::min(options.max_points, std::max(share, kMinPoints))));
  };
  for (const auto& [name, curve] : run.metrics) {
    // Tokens are a horizontal axis, not a curve.
    if (name != metric_name::kTokens) add(name, curve);
  }
  for (const auto& [name, curve] : run.evals) add(name, curve);
  return out;
}

// The noisy curves once more, smoothed over `window` steps.
Json means_json(const RunData& run, const ReportOptions& options) {
  Json out = Json::object();
  for (const std::string_view name :
       {metric_name::kLoss, metric_name::kGradNorm, metric_name::kSpeed}) {
    const Curve& curve = run.metric(name);
    const size_t window = smooth_window(curve.size());
    Json mean = curve_json(smooth(curve, window), options.max_points);
    out.set(name, std::move(mean.set("window", window)));
  }
  return out;
}

// Steps with the tokens and seconds that belong to them; null when they are not known.
Json axis_json(const RunData& run) {
  constexpr size_t kAxisPoints = 400;
  const Curve& tokens = run.metric(metric_name::kTokens);
  if (tokens.size() < 2) return nullptr;
  const size_t count = std::min(kAxisPoints, tokens.size());
  Json step = Json::array(), token = Json::array(), second = Json::array();
  for (size_t i = 0; i < count; ++i) {
    const size_t place = i * (tokens.size() - 1) / (count - 1);
    step.push(tokens.steps[place]);
    token.push(rounded(tokens.values[place]));
    second.push(rounded(run.seconds.values[place]));
  }
  Json out = Json::object();
  out.set("step", std::move(step)).set("tokens", std::move(token));
  return out.set("seconds", std::move(second));
}

Json summary_json(const RunData& run) {
  const RunSummary s = summarize(run);
  Json out = Json::object();
  out.set("state", state_name(s.state)).set("reason", s.reason).set("steps", s.steps);
  out.set("total_steps", s.total_steps > 0 ? Json(s.total_steps) : Json(nullptr));
  out.set("tokens", s.tokens).set("val_loss", s.val_loss);
  out.set("best_val_loss", s.best_val_loss).set("best_val_step", s.best_val_step);
  out.set("train_loss", s.train_loss);
  out.set("tokens_per_second", s.tokens_per_second).set("seconds", s.seconds);
  out.set("parameters", s.parameters).set("floor", s.floor);
  return out;
}

Json samples_json(const RunData& run) {
  Json out = Json::array();
  const size_t skipped = run.samples.size() - std::min(kMaxSamples, run.samples.size());
  for (size_t i = skipped; i < run.samples.size(); ++i) {
    out.push(Json::object().set("step", run.samples[i].step).set("text", run.samples[i].text));
  }
  return out;
}

Json events_json(const RunData& run) {
  Json out = Json::array();
  const size_t skipped = run.events.size() - std::min(kMaxEvents, run.events.size());
  for (size_t i = skipped; i < run.events.size(); ++i) {
    const EventRow& event = run.events[i];
    out.push(Json::object()
                 .set("step", event.step)
                 .set("time", utc_text(event.time, "%Y-%m-%d %H:%M:%S"))
                 .set("kind", event.kind)
                 .set("text", event.text));
  }
  return out;
}

// The block that the run's config stands for, as text and drawn; both empty where this program does
// not know that config, as of a run that another version made.
void set_block(Json& out, const RunData& run) {
  std::string text, svg;
  try {
    const std::string file = join_path(run.path, "config.toml");
    RunConfig config;
    load_resolved(file, real_fs().read_file(file, kMaxConfigBytes), {}, config);
    const Diagram block = block_of(config);
    text = block_text(block);
    svg = block_svg(block, {"The block of " + valid_utf8(run.name), true});
  } catch (const Error&) {
    text = svg = "";
  }
  out.set("block", std::move(text)).set("block_svg", std::move(svg));
}

Json run_json(const RunData& run, const std::string& name, const ReportOptions& options) {
  Json config = Json::array(), environment = Json::array();
  for (const ConfigEntry& entry : run.config) {
    config.push(
        Json::object().set("key", entry.key).set("value", entry.value).set("origin", entry.origin));
  }
  for (const NamedValue& entry : run.environment) {
    environment.push(Json::object().set("key", entry.key).set("value", entry.value));
  }
  Json out = Json::object();
  out.set("name", name).set("summary", summary_json(run)).set("axis", axis_json(run));
  out.set("curves", curves_json(run, options)).set("means", means_json(run, options));
  out.set("samples", samples_json(run));
  out.set("events", events_json(run)).set("config", std::move(config));
  set_block(out, run);
  out.set("environment", std::move(environment)).set("notes", Json::array_of(run.notes));
  return out;
}

// Titles and units of what the report knows; other names stand as they are.
void set_titles(Json& data) {
  struct Known {
    std::string_view name;
    const char *title, *unit;
  };
  using namespace metric_name;
  constexpr Known kKnown[] = {
      {kRate, "Learning rate", ""},
      {kGradNorm, "Gradient norm", "before the clip"},
      {kSpeed, "Throughput", "tokens per second"},
      {kLogitMaxGroup, "Largest attention logit", "by layer"},
      {kEntropyGroup, "Attention entropy", "nats, mean over heads, by layer"},
      {kOutNormQkvGroup, "Output of QKV", "RMS, by layer"},
      {kOutNormProjGroup, "Output of attention", "RMS, by layer"},
      {kOutNormFc1Group, "Output of FC1", "RMS, gate and up together, by layer"},
      {kOutNormFc2Group, "Output of FC2", "RMS, by layer"},
      {kUpdateRatioGroup, "Update over weight", "RMS over RMS, matrices, by block"},
      {kValSourceLossGroup, "Validation loss by source", "nats per token"},
      {kSourceLossGroup, "Training loss by source", "nats per token"},
  };
  Json titles = Json::object(), units = Json::object();
  for (const Known& known : kKnown) {
    titles.set(known.name, known.title);
    units.set(known.name, known.unit);
  }
  data.set("titles", std::move(titles)).set("units", std::move(units));
}

}  // namespace

Json report_data(std::span<const RunData> runs, const ReportOptions& options) {
  if (runs.empty()) throw ConfigError("report: no run given; name at least one run directory");
  Json list = Json::array();
  std::set<std::string> names;
  for (const RunData& run : runs) {
    std::string name = run.name;
    for (int i = 2; !names.insert(name).second; ++i) name = fmt::format("{} ({})", run.name, i);
    list.push(run_json(run, name, options));
  }
  Json data = Json::object();
  data.set("program", options.program);
  data.set("generated", page_time(options.unix_time));
  Json marked = Json::array();
  for (const std::string_view kind : {metric_name::kResumeEvent, metric_name::kStopEvent,
                                      metric_name::kEarlyEvent, metric_name::kDivergedEvent})
    marked.push(kind);
  data.set("marked_events", std::move(marked));
  set_titles(data);
  data.set("runs", std::move(list));
  return data;
}

}  // namespace keel
