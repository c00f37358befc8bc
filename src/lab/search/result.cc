#include "lab/search/result.h"

namespace keel {
namespace {

template <class T>
Json maybe(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

Json to_json(const FrontierValue& f) {
  return Json::object()
      .append("value", maybe(f.value))
      .append("low", maybe(f.low))
      .append("high", maybe(f.high))
      .append("censored", f.censored.empty() ? Json() : Json(f.censored))
      .append("ill_determined", f.ill_determined);
}

Json to_json(const ArmTrial& t) {
  return Json::object()
      .append("id", t.id)
      .append("rate", t.rate)
      .append("seed", t.seed)
      .append("loss", t.loss)
      .append("verdict", t.verdict)
      .append("reason", t.reason)
      .append("step", maybe(t.step))
      .append("stopped_early", t.stopped_early);
}

Json to_json(const ArmRate& r) {
  return Json::object()
      .append("rate", r.rate)
      .append("seeds", r.seeds)
      .append("mean_loss", r.mean_loss)
      .append("share_diverged", r.share_diverged)
      .append("share_not_training", r.share_not_training);
}

Json to_json(const GrowthRun& run) {
  Json series = Json::object();
  for (const auto& [name, s] : run.series) {
    series.append(name, Json::object()
                            .append("steps", Json::array_of(s.steps))
                            .append("values", Json::array_of(s.values)));
  }
  return Json::object()
      .append("id", run.id)
      .append("rate", run.rate)
      .append("seed", run.seed)
      .append("verdict", run.verdict)
      .append("series", std::move(series));
}

Json to_json(const AxisPoint& p) {
  return Json::object()
      .append("arm", p.arm)
      .append("at", p.at)
      .append("training_frontier", to_json(p.training_frontier))
      .append("divergence_frontier", to_json(p.divergence_frontier));
}

Json to_json(const AxisTrend& t) {
  return Json::object()
      .append("arm", t.arm)
      .append("measure", t.measure)
      .append("exponent", t.exponent)
      .append("low", maybe(t.low))
      .append("high", maybe(t.high))
      .append("most", t.most)
      .append("coefficient", maybe(t.coefficient));
}

Json to_json(const ArmResult& a);
Json to_json(const ContrastResult& c);

template <class T>
Json list(const std::vector<T>& items) {
  Json out = Json::array();
  for (const T& item : items) out.push(to_json(item));
  return out;
}

Json to_json(const ArmResult& a) {
  Json out = Json::object()
                 .append("name", a.name)
                 .append("best_lr", maybe(a.best_lr))
                 .append("best_loss", maybe(a.best_loss))
                 .append("training_frontier", to_json(a.training_frontier))
                 .append("divergence_frontier", to_json(a.divergence_frontier))
                 .append("headroom", maybe(a.headroom))
                 .append("seeds", a.seeds);
  out.append("sets", Json::array_of(a.sets))
      .append("update_ratio", maybe(a.update_ratio))
      .append("step_seconds", maybe(a.step_seconds))
      .append("peak_bytes", maybe(a.peak_bytes))
      .append("sensitivity", maybe(a.sensitivity))
      .append("logit_rms", maybe(a.logit_rms))
      .append("branch_rms", maybe(a.branch_rms))
      .append("published", maybe(a.published))
      .append("early_stop_saving", maybe(a.early_stop_saving))
      .append("early_stops_checked", a.early_stops_checked)
      .append("early_stops_right", a.early_stops_right)
      .append("rates", list(a.rates))
      .append("trials", list(a.trials))
      .append("healthy", a.healthy ? to_json(*a.healthy) : Json())
      .append("failing", a.failing ? to_json(*a.failing) : Json());
  return out;
}

Json to_json(const ContrastResult& c) {
  return Json::object()
      .append("name", c.name)
      .append("estimate", maybe(c.estimate))
      .append("low", maybe(c.low))
      .append("high", maybe(c.high))
      .append("p", maybe(c.p))
      .append("verdict", c.verdict)
      .append("measure", c.measure)
      .append("at", maybe(c.at))
      .append("holm_p", maybe(c.holm_p))
      .append("claim", c.claim)
      .append("order_holds", c.order_holds)
      .append("smallest_p", maybe(c.smallest_p))
      .append("seeds_to_resolve", maybe(c.seeds_to_resolve));
}

Json to_json(const VerdictConfig& rule) {
  return Json::object()
      .append("margin", rule.margin)
      .append("narrow_margin", rule.narrow_margin)
      .append("wide_margin", rule.wide_margin)
      .append("share_above", rule.share_above)
      .append("rise_above", rule.rise_above)
      .append("recovery_share", rule.recovery_share)
      .append("window_share", rule.window_share)
      .append("window_min", rule.window_min)
      .append("stop_factor", rule.stop_factor);
}

Json pairs(const std::vector<std::pair<std::string, std::string>>& list) {
  Json out = Json::array();
  for (const auto& [name, value] : list) out.push(Json::array().push(name).push(value));
  return out;
}

}  // namespace

Json to_json(const FrontierResult& r) {
  Json rankings = Json::array();
  for (const auto& order : r.rankings) rankings.push(Json::array_of(order));
  std::vector<ContrastResult> asked, further;
  for (const ContrastResult& c : r.contrasts) (c.asked ? asked : further).push_back(c);
  Json out = Json::object().append("arms", list(r.arms)).append("contrasts", list(asked));
  out.append("further_contrasts", list(further))
      .append("title", r.title)
      .append("key", r.key)
      .append("above", r.above)
      .append("ratio", r.ratio)
      .append("level", r.level)
      .append("rule", to_json(r.rule))
      .append("unigram_entropy", maybe(r.unigram_entropy))
      .append("bigram_entropy", maybe(r.bigram_entropy))
      .append("conditions", pairs(r.conditions))
      .append("rankings", std::move(rankings))
      .append("axis", r.axis)
      .append("held_fixed", Json::array_of(r.held_fixed))
      .append("axis_points", list(r.axis_points))
      .append("axis_trends", list(r.axis_trends))
      .append("early_stop_agreement", maybe(r.early_stop_agreement))
      .append("early_stop_saving", maybe(r.early_stop_saving))
      .append("regime", r.regime)
      .append("published_label", r.published_label)
      .append("notes", Json::array_of(r.notes))
      .append("commands", Json::array_of(r.commands))
      .append("versions", pairs(r.versions))
      .append("trials", r.trials)
      .append("failed", r.failed)
      .append("seconds", r.seconds);
  return out;
}

}  // namespace keel
