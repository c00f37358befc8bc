// Comparisons of arms: of frontiers and of losses, with Holm's procedure over those of one measure,
// under each of the three labellings, and what they say of the claims.
#include <algorithm>
#include <cmath>
#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <string_view>

#include "core/error.h"
#include "lab/search/analysis.h"
#include "lab/stats/contrasts.h"
#include "lab/stats/power.h"
#include "lab/stats/resampling.h"

namespace keel {
namespace {

// The comparisons of one measure under one labelling that can be made.
struct Family {
  std::vector<std::unique_ptr<ArmModel>> owned;
  std::vector<ContrastOf> contrasts;
  std::vector<size_t> which;              // of the file's
  std::vector<std::optional<double>> at;  // the logarithm of a common value

  std::optional<size_t> place(size_t contrast) const {
    const auto it = std::find(which.begin(), which.end(), contrast);
    if (it == which.end()) return {};
    return it - which.begin();
  }
};

bool is_frontier(std::string_view measure) { return measure.ends_with("_frontier"); }

class FamilyMaker {
 public:
  FamilyMaker(const SearchReport& report, const std::vector<ContrastSpec>& contrasts,
              const LabelledArms& labelled)
      : report_(report), contrasts_(contrasts), labelled_(labelled) {}

  Family make(std::string_view measure) const {
    Family f;
    if (!labelled_.frontiers) return f;
    if (measure == "training_frontier") add_all(f, *labelled_.frontiers->training, places(), true);
    if (measure == "divergence_frontier") {
      add_all(f, *labelled_.frontiers->divergence, places(), true);
    }
    if (measure == "best_loss") add_best_losses(f);
    if (measure == "common_loss") add_common_losses(f);
    return f;
  }

 private:
  using Places = std::vector<std::optional<size_t>>;  // of each arm of the file in a model

  Places places() const {
    Places p;
    for (size_t arm = 0; arm < report_.arms.size(); ++arm) p.push_back(labelled_.place(arm));
    return p;
  }

  void add(Family& f, const ArmModel& model, size_t contrast, size_t a, size_t b, double sign,
           std::optional<double> at = {}) const {
    ContrastOf c{&model, {contrasts_[contrast].name, std::vector<double>(model.arms())}};
    c.contrast.weights[a] = sign;
    c.contrast.weights[b] = -sign;
    f.contrasts.push_back(std::move(c));
    f.which.push_back(contrast);
    f.at.push_back(at);
  }

  // Logarithms of frontiers are counted towards what fails: `direction` turns them back.
  void add_all(Family& f, const ArmModel& model, const Places& at, bool frontiers) const {
    for (size_t i = 0; i < contrasts_.size(); ++i) {
      const ContrastSpec& c = contrasts_[i];
      if (!at[c.a] || !at[c.b]) continue;
      if (frontiers && report_.arms[c.a].scale != report_.arms[c.b].scale) continue;
      add(f, model, i, *at[c.a], *at[c.b], frontiers ? report_.spec.direction() : 1);
    }
  }

  void add_best_losses(Family& f) const {
    Places at(report_.arms.size());
    std::vector<Observation> losses;
    size_t arms = 0;
    for (size_t i = 0; i < labelled_.arms.size(); ++i) {
      const ArmOutcomes& common = labelled_.common[i];
      const std::optional<BestRateScore> score = score_best_rate(common);
      if (!score || !common.trains_somewhere()) continue;
      at[labelled_.arms[i]] = arms;
      for (size_t s = 0; s < common.seeds().size(); ++s) {
        losses.push_back({arms, common.seeds()[s], score->loss_by_seed[s], score->loss_by_seed[s]});
      }
      ++arms;
    }
    if (arms < 2) return;
    f.owned.push_back(fit_arms(losses));
    add_all(f, *f.owned.back(), at, false);
  }

  // Whether all seeds of that rate train; rates are in the order of the grid, the same in each arm.
  static bool trains(const ArmOutcomes& o, size_t rate) {
    const RateSummary r = o.summary()[rate];
    return r.seeds == o.seeds().size() && r.share_diverged + r.share_not_training == 0;
  }

  // At the furthest rate at which both arms train with every seed.
  void add_common_losses(Family& f) const {
    for (size_t i = 0; i < contrasts_.size(); ++i) {
      const std::optional<size_t> a = labelled_.place(contrasts_[i].a);
      const std::optional<size_t> b = labelled_.place(contrasts_[i].b);
      if (!a || !b || report_.arms[contrasts_[i].a].scale != report_.arms[contrasts_[i].b].scale) {
        continue;
      }
      const ArmOutcomes &of_a = labelled_.common[*a], &of_b = labelled_.common[*b];
      if (of_a.log_rates() != of_b.log_rates() || of_a.seeds() != of_b.seeds()) continue;
      size_t rate = of_a.log_rates().size();
      while (rate > 0 && !(trains(of_a, rate - 1) && trains(of_b, rate - 1))) --rate;
      if (rate == 0) continue;
      std::vector<Observation> losses;
      for (size_t s = 0; s < of_a.seeds().size(); ++s) {
        const double x = of_a.loss(rate - 1, s).value(), y = of_b.loss(rate - 1, s).value();
        losses.push_back({0, of_a.seeds()[s], x, x});
        losses.push_back({1, of_a.seeds()[s], y, y});
      }
      f.owned.push_back(fit_arms(losses));
      add(f, *f.owned.back(), i, 0, 1, 1, of_a.log_rates()[rate - 1]);
    }
  }

  const SearchReport& report_;
  const std::vector<ContrastSpec>& contrasts_;
  const LabelledArms& labelled_;
};

std::string claim_of(ContrastSpec::Claim claim, const JudgedContrast& c, bool order_holds) {
  constexpr const char* kReproduced = "reproduced";
  constexpr const char* kContradicted = "contradicted";
  constexpr const char* kNotResolved = "not resolved";
  const bool differs = c.resolution == Resolution::kDiffers;
  const bool tie = c.resolution == Resolution::kTie;
  if (claim == ContrastSpec::Claim::kEqual) {
    if (tie || (differs && c.inside_margin)) return kReproduced;
    return differs && order_holds ? kContradicted : kNotResolved;
  }
  if (tie) return kContradicted;
  if (!differs || !order_holds) return kNotResolved;
  return c.holm_interval->low > 0 ? kReproduced : kContradicted;
}

class Judge {
 public:
  Judge(const SearchReport& report, const std::vector<LabelledArms>& by_labelling)
      : report_(report), by_labelling_(by_labelling), asked_(report.spec.contrast_list()) {}

  std::vector<ContrastResult> run() {
    std::vector<ContrastResult> out;
    for (const bool asked : {true, false}) {
      for (const char* measure : kMeasures) add_family(measure, asked, out);
    }
    return out;
  }

 private:
  bool is_asked(const std::string& name, std::string_view measure) const {
    return std::any_of(asked_.begin(), asked_.end(), [&](const ContrastSpec& c) {
      return c.name == name && c.measure == measure;
    });
  }

  // What the file asks of a measure is a family, and so is what it does not.
  void add_family(const std::string& measure, bool asked, std::vector<ContrastResult>& out) const {
    std::vector<ContrastSpec> contrasts;
    std::set<std::string> seen;
    for (const ContrastSpec& c : asked_) {
      if (is_asked(c.name, measure) == asked && seen.insert(c.name).second) contrasts.push_back(c);
    }
    if (contrasts.empty()) return;
    std::vector<Family> families;
    std::vector<std::vector<JudgedContrast>> judged;
    for (const LabelledArms& labelled : by_labelling_) {
      families.push_back(FamilyMaker(report_, contrasts, labelled).make(measure));
      const double margin =
          is_frontier(measure) ? report_.spec.log_margin() : report_.spec.loss_margin;
      judged.push_back(judge_contrasts(families.back().contrasts, margin, report_.spec.level));
    }
    for (size_t i = 0; i < contrasts.size(); ++i) {
      out.push_back(result_of(contrasts[i], i, measure, families, judged));
      out.back().asked = asked;
    }
  }

  std::optional<ContrastSpec::Claim> claim(const std::string& name,
                                           std::string_view measure) const {
    for (const ContrastSpec& c : asked_) {
      if (c.name == name && c.measure == measure && c.claim != ContrastSpec::Claim::kNone) {
        return c.claim;
      }
    }
    return {};
  }

  // `contrast` is its number among those of the families, one for each labelling.
  ContrastResult result_of(const ContrastSpec& spec, size_t contrast, const std::string& measure,
                           const std::vector<Family>& families,
                           const std::vector<std::vector<JudgedContrast>>& judged) const {
    ContrastResult r;
    r.name = spec.name;
    r.measure = measure;
    r.verdict = name_of(Resolution::kNotResolved);
    const auto claimed = claim(r.name, measure);
    if (claimed) r.claim = r.verdict;
    const std::optional<size_t> at = families[0].place(contrast);
    if (!at) return r;
    const JudgedContrast& c = judged[0][*at];
    fill(r, c, is_frontier(measure));
    const std::optional<double> log_value = families[0].at[*at];
    if (log_value) r.at = value_of_log(*log_value, report_.spec.direction());
    std::vector<JudgedContrast> each;
    for (size_t l = 0; l < families.size(); ++l) {
      const std::optional<size_t> place = families[l].place(contrast);
      if (place) each.push_back(judged[l][*place]);
    }
    r.order_holds = each.size() == kLabellings && order_holds(each);
    if (claimed) r.claim = claim_of(*claimed, c, r.order_holds);
    add_seeds(r, spec, *families[0].contrasts[*at].model);
    return r;
  }

  static void fill(ContrastResult& r, const JudgedContrast& c, bool frontier) {
    const auto shown = [&](double x) -> std::optional<double> {
      if (!std::isfinite(x)) return {};
      return frontier ? std::exp(x) : x;
    };
    r.estimate = shown(c.estimate.value);
    if (c.holm_interval) {
      r.low = shown(c.holm_interval->low);
      r.high = shown(c.holm_interval->high);
    }
    if (std::isfinite(c.estimate.p)) {
      r.p = c.estimate.p;
      r.holm_p = c.holm_p;
    }
    r.verdict = name_of(c.resolution);
  }

  void add_seeds(ContrastResult& r, const ContrastSpec& c, const ArmModel& model) const {
    const std::vector<int64_t>& of_a = by_labelling_[0].all[*by_labelling_[0].place(c.a)].seeds();
    const std::vector<int64_t>& of_b = by_labelling_[0].all[*by_labelling_[0].place(c.b)].seeds();
    std::vector<int64_t> shared;
    std::set_intersection(of_a.begin(), of_a.end(), of_b.begin(), of_b.end(),
                          std::back_inserter(shared));
    r.smallest_p = smallest_sign_flip_p(shared.size());
    const double sd = model.residual_sd() * std::sqrt(2.0);
    if (!(sd > 0) || model.arms() < 2) return;
    const FrontierSpec& spec = report_.spec;
    const double difference = is_frontier(r.measure) ? spec.log_margin() : spec.loss_margin;
    r.seeds_to_resolve = seeds_to_resolve(difference, sd, model.arms(), 1 - spec.level);
  }

  const SearchReport& report_;
  const std::vector<LabelledArms>& by_labelling_;
  std::vector<ContrastSpec> asked_;  // as the file has them
};

}  // namespace

std::vector<ContrastResult> judge_all_contrasts(const SearchReport& report,
                                                const std::vector<LabelledArms>& by_labelling) {
  return Judge(report, by_labelling).run();
}

}  // namespace keel
