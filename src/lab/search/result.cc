#include "lab/search/result.h"

#include <cmath>

#include "config/print.h"

namespace keel {
namespace {

template <class T>
Json or_null(const std::optional<T>& v) {
  return v ? Json(*v) : Json();
}

Json text_or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

Json pairs_json(const std::vector<std::pair<std::string, std::string>>& pairs) {
  Json j = Json::object();
  for (const auto& [key, value] : pairs) j.set(key, value);
  return j;
}

Json value_json(const FrontierValue& v) {
  Json j = Json::object();
  j.set("value", or_null(v.value)).set("low", or_null(v.low)).set("high", or_null(v.high));
  j.set("censored", text_or_null(v.censored)).set("ill_determined", v.ill_determined);
  return j;
}

Json rate_json(const ArmRate& r) {
  Json j = Json::object();
  j.set("rate", r.rate).set("seeds", r.seeds).set("mean_loss", r.mean_loss);
  j.set("share_diverged", r.share_diverged).set("share_not_training", r.share_not_training);
  return j;
}

Json trial_json(const ArmTrial& t) {
  Json j = Json::object();
  j.set("id", t.id).set("rate", t.rate).set("seed", t.seed).set("loss", t.loss);
  j.set("verdict", t.verdict).set("reason", t.reason).set("step", or_null(t.step));
  j.set("stopped_early", t.stopped_early);
  return j;
}

Json growth_json(const std::optional<GrowthRun>& run) {
  if (!run) return {};
  Json series = Json::object();
  for (const auto& [name, s] : run->series) {
    Json one = Json::object();
    one.set("steps", Json::array_of(s.steps)).set("values", Json::array_of(s.values));
    series.set(name, std::move(one));
  }
  Json j = Json::object();
  j.set("id", run->id).set("rate", run->rate).set("seed", run->seed).set("verdict", run->verdict);
  j.set("series", std::move(series));
  return j;
}

template <class T, class F>
Json list_json(const std::vector<T>& values, const F& json_of) {
  Json list = Json::array();
  for (const T& v : values) list.push(json_of(v));
  return list;
}

Json arm_json(const ArmResult& a) {
  Json j = Json::object();
  j.set("name", a.name).set("best_lr", or_null(a.best_lr)).set("best_loss", or_null(a.best_loss));
  j.set("training_frontier", value_json(a.training_frontier));
  j.set("divergence_frontier", value_json(a.divergence_frontier));
  j.set("headroom", or_null(a.headroom)).set("seeds", a.seeds);
  j.set("sets", Json::array_of(a.sets)).set("update_ratio", or_null(a.update_ratio));
  j.set("step_seconds", or_null(a.step_seconds)).set("peak_bytes", or_null(a.peak_bytes));
  j.set("sensitivity", or_null(a.sensitivity)).set("logit_rms", or_null(a.logit_rms));
  j.set("branch_rms", or_null(a.branch_rms)).set("published", or_null(a.published));
  j.set("rates", list_json(a.rates, rate_json)).set("trials", list_json(a.trials, trial_json));
  j.set("healthy", growth_json(a.healthy)).set("failing", growth_json(a.failing));
  return j;
}

Json contrast_json(const ContrastResult& c) {
  Json j = Json::object();
  j.set("name", c.name).set("estimate", or_null(c.estimate)).set("low", or_null(c.low));
  j.set("high", or_null(c.high)).set("p", or_null(c.p)).set("verdict", c.verdict);
  j.set("measure", c.measure).set("holm_p", or_null(c.holm_p)).set("claim", text_or_null(c.claim));
  j.set("order_holds", c.order_holds).set("smallest_p", or_null(c.smallest_p));
  j.set("seeds_to_resolve", or_null(c.seeds_to_resolve));
  return j;
}

Json point_json(const AxisPoint& p) {
  Json j = Json::object();
  j.set("arm", p.arm).set("at", p.at).set("training_frontier", value_json(p.training_frontier));
  j.set("divergence_frontier", value_json(p.divergence_frontier));
  return j;
}

Json trend_json(const AxisTrend& t) {
  Json j = Json::object();
  j.set("arm", t.arm).set("measure", t.measure).set("exponent", t.exponent);
  j.set("low", or_null(t.low)).set("high", or_null(t.high)).set("most", t.most);
  return j;
}

Json rule_json(const VerdictConfig& rule) {
  Json j = Json::object();
  for (const KeyValue& kv : flatten(rule)) j.set(kv.key, parse_json(kv.value, "rule"));
  return j;
}

}  // namespace

Json to_json(const FrontierResult& r) {
  Json j = Json::object();
  j.set("arms", list_json(r.arms, arm_json));
  j.set("contrasts", list_json(r.contrasts, contrast_json));
  j.set("title", r.title).set("key", r.key).set("above", r.above).set("ratio", r.ratio);
  j.set("level", r.level).set("rule", rule_json(r.rule));
  j.set("unigram_entropy", or_null(r.unigram_entropy));
  j.set("bigram_entropy", or_null(r.bigram_entropy)).set("conditions", pairs_json(r.conditions));
  j.set("rankings", list_json(r.rankings, [](const std::vector<std::string>& names) {
          return Json::array_of(names);
        }));
  j.set("axis", text_or_null(r.axis)).set("held_fixed", Json::array_of(r.held_fixed));
  j.set("axis_points", list_json(r.axis_points, point_json));
  j.set("axis_trends", list_json(r.axis_trends, trend_json));
  j.set("early_stop_agreement", or_null(r.early_stop_agreement));
  j.set("early_stop_saving", or_null(r.early_stop_saving));
  j.set("regime", text_or_null(r.regime));
  j.set("published_label", text_or_null(r.published_label));
  j.set("notes", Json::array_of(r.notes)).set("commands", Json::array_of(r.commands));
  j.set("versions", pairs_json(r.versions)).set("trials", r.trials).set("failed", r.failed);
  j.set("seconds", r.seconds);
  return j;
}

}  // namespace keel
