#include "lab/search/text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "config/text.h"
#include "lab/text.h"

namespace keel {
namespace {

using Row = std::vector<std::string>;

std::string short_number(const std::optional<double>& v, int digits = 3) {
  return v ? fmt::format("{:.{}g}", *v, digits) : "-";
}
std::string loss_text(const std::optional<double>& v) {
  return v ? fmt::format("{:.4f}", *v) : "-";
}
std::string time_text(const std::optional<double>& seconds) {
  return seconds ? fmt::format("{:.3g} ms", *seconds * 1e3) : "-";
}
std::string memory_text(const std::optional<double>& bytes) {
  return bytes ? short_bytes(static_cast<int64_t>(*bytes)) : "-";
}

// A bound instead of a factor where the frontier is one.
std::string headroom_text(const ArmResult& a, bool above) {
  if (!a.headroom) return "-";
  const bool bound = a.training_frontier.censored == (above ? "right" : "left");
  return fmt::format("{}{:.3g}", bound ? "> " : "", *a.headroom);
}

std::string measure_text(std::string_view measure) {
  if (measure == "training_frontier") return "training frontier, ratio";
  if (measure == "divergence_frontier") return "divergence frontier, ratio";
  if (measure == "best_loss") return "loss at own best, nats";
  return "loss at a common value, nats";
}

std::string interval_text(const ContrastResult& c) {
  const bool frontier = c.measure.ends_with("_frontier");
  const auto show = [&](const std::optional<double>& v) {
    if (!v) return std::string("..");
    return frontier ? fmt::format("{:.3g}", *v) : fmt::format("{:+.4f}", *v);
  };
  if (!c.low && !c.high) return show(c.estimate);
  return fmt::format("{} [{}, {}]", show(c.estimate), show(c.low), show(c.high));
}

std::string p_text(const std::optional<double>& p) {
  if (!p) return "-";
  return *p < 1e-4 ? "< 0.0001" : fmt::format("{:.4f}", *p);
}

std::string verdict_text(const ContrastResult& c) {
  return c.verdict + (c.verdict == "differs" && !c.order_holds ? " (not under all margins)" : "");
}

Row arm_row(const ArmResult& a, bool above) {
  return {a.name,
          loss_text(a.best_loss),
          short_number(a.best_lr, 4),
          frontier_value_text(a.training_frontier),
          frontier_value_text(a.divergence_frontier),
          headroom_text(a, above),
          short_number(a.update_ratio, 2),
          time_text(a.step_seconds),
          memory_text(a.peak_bytes)};
}

Row arm_header(const FrontierResult& r) {
  const std::string share = fmt::format("{:g} %", 100 * r.level);
  return {"arm",
          "loss",
          "best",
          "trains up to [" + share + "]",
          "diverges [passes, fails]",
          "headroom",
          "update",
          "step",
          "memory"};
}

Row contrast_row(const ContrastResult& c) {
  return {c.name,
          measure_text(c.measure) + (c.at ? ": " + plain(*c.at) : ""),
          interval_text(c),
          p_text(c.holm_p),
          verdict_text(c),
          c.claim.empty() ? "-" : c.claim,
          c.smallest_p ? p_text(c.smallest_p) : "-",
          c.seeds_to_resolve ? std::to_string(*c.seeds_to_resolve) : "-"};
}

const Row& contrast_header() {
  static const Row header{"contrast", "of",    "estimate",   "p (Holm)",
                          "verdict",  "claim", "smallest p", "seeds"};
  return header;
}

// Characters, as UTF-8 counts them.
size_t width(const std::string& s) {
  return static_cast<size_t>(std::count_if(
      s.begin(), s.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string aligned(const std::vector<Row>& rows) {
  std::vector<size_t> widths(rows[0].size());
  for (const Row& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  }
  std::string out;
  for (const Row& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line += std::string(widths[i] - width(row[i]) + 2, ' ');
    }
    out += line + "\n";
  }
  return out;
}

std::string cell(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

std::string markdown_table(const std::vector<Row>& rows) {
  std::string out;
  for (size_t i = 0; i < rows.size(); ++i) {
    out += "|";
    for (const std::string& text : rows[i]) out += " " + cell(text) + " |";
    out += "\n";
    if (i > 0) continue;
    out += "|";
    for (size_t j = 0; j < rows[0].size(); ++j) out += "---|";
    out += "\n";
  }
  return out + "\n";
}

std::vector<Row> arm_rows(const FrontierResult& r) {
  std::vector<Row> rows{arm_header(r)};
  for (const ArmResult& a : r.arms) rows.push_back(arm_row(a, r.above));
  return rows;
}

std::vector<Row> contrast_rows(const FrontierResult& r) {
  std::vector<Row> rows{contrast_header()};
  for (const bool asked : {true, false}) {
    for (const ContrastResult& c : r.contrasts) {
      if (c.asked == asked) rows.push_back(contrast_row(c));
    }
  }
  return rows;
}

std::string early_stop_text(const FrontierResult& r) {
  if (!r.early_stop_saving) return "";
  std::string text =
      fmt::format("Early stop saved {:.0f} % of the steps", 100 * *r.early_stop_saving);
  if (r.early_stop_agreement) {
    text += fmt::format("; of stopped runs near a frontier {:.0f} % diverge when run to their end",
                        100 * *r.early_stop_agreement);
  }
  text += ".";
  std::vector<std::string> by_arm;
  for (const ArmResult& a : r.arms) {
    if (a.early_stops_checked == 0) continue;
    by_arm.push_back(
        fmt::format("{} {} of {}", a.name, a.early_stops_right, a.early_stops_checked));
  }
  if (!by_arm.empty()) text += fmt::format(" By arm: {}.", fmt::join(by_arm, ", "));
  std::vector<std::string> saved;
  for (const ArmResult& a : r.arms) {
    if (!a.early_stop_saving) continue;
    saved.push_back(fmt::format("{} {:.0f} %", a.name, 100 * *a.early_stop_saving));
  }
  if (!saved.empty()) text += fmt::format(" Saved by arm: {}.", fmt::join(saved, ", "));
  return text;
}

std::string rule_text(const FrontierResult& r) {
  std::string text = fmt::format(
      "Diverged: a loss that is not finite; or, after warm-up and one window, the mean loss of the "
      "last max({}, {:g} % of the steps) steps above H1, and {:g} % above its own "
      "lowest, in {:g} % of the remaining steps; or more than {:g} (H1 - m) above its own earlier "
      "minimum m for {:g} % of the run. Does not train: "
      "did not diverge, but the final validation loss is above L* + {:g} (H1 - L*), L* being the "
      "lowest mean over seeds of the arm.",
      r.rule.window_min, 100 * r.rule.window_share, 100 * r.rule.rise_above,
      100 * r.rule.share_above, r.rule.margin, 100 * r.rule.recovery_share, r.rule.margin);
  if (r.unigram_entropy) {
    text += fmt::format(" H1 = {:.4f} nats, the unigram entropy of the training split",
                        *r.unigram_entropy);
    text += r.bigram_entropy ? fmt::format("; its bigram entropy is {:.4f}.", *r.bigram_entropy)
                             : std::string(".");
  }
  return text + fmt::format(" Orders are claimed only where they hold with {:g} and {:g} as well.",
                            r.rule.narrow_margin, r.rule.wide_margin);
}

std::string axis_text(const FrontierResult& r) {
  std::vector<Row> rows{{"arm", r.axis, "trains up to", "diverges"}};
  for (const AxisPoint& p : r.axis_points) {
    rows.push_back({p.arm, plain(p.at), frontier_value_text(p.training_frontier),
                    frontier_value_text(p.divergence_frontier)});
  }
  std::string out = fmt::format("## Against {}\n\n", r.axis);
  if (!r.held_fixed.empty())
    out += fmt::format("Held fixed: {}.\n\n", fmt::join(r.held_fixed, ", "));
  out += markdown_table(rows);
  for (const AxisTrend& t : r.axis_trends) {
    out += fmt::format("- {}, {}: proportional to {}^{:.3g}", t.arm, measure_text(t.measure),
                       r.axis, t.exponent);
    if (t.low && t.high) out += fmt::format(" [{:.3g}, {:.3g}]", *t.low, *t.high);
    out += fmt::format(", not claimed beyond {}\n", plain(t.most));
  }
  return out + "\n";
}

std::string list_text(const std::vector<std::string>& items, std::string_view before) {
  std::string out;
  for (const std::string& item : items) out += fmt::format("{}{}\n", before, item);
  return out;
}

std::string rates_text(const FrontierResult& r) {
  std::vector<Row> rows{{"arm", r.key, "seeds", "mean loss", "diverged", "does not train"}};
  for (const ArmResult& a : r.arms) {
    for (const ArmRate& rate : a.rates) {
      rows.push_back({a.name, plain(rate.rate), std::to_string(rate.seeds),
                      fmt::format("{:.4f}", rate.mean_loss),
                      fmt::format("{:.0f} %", 100 * rate.share_diverged),
                      fmt::format("{:.0f} %", 100 * rate.share_not_training)});
    }
  }
  return markdown_table(rows);
}

std::string start_text(const FrontierResult& r) {
  std::vector<Row> rows{{"arm", "sensitivity", "logit RMS", "branch RMS", "published"}};
  for (const ArmResult& a : r.arms) {
    rows.push_back({a.name, short_number(a.sensitivity), short_number(a.logit_rms),
                    short_number(a.branch_rms), short_number(a.published)});
  }
  return markdown_table(rows);
}

std::string pairs_text(const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::string out;
  for (const auto& [key, value] : pairs) out += fmt::format("- {}: {}\n", key, value);
  return out;
}

std::string order_text(const FrontierResult& r) {
  constexpr const char* kNames[] = {"stated", "narrow", "wide"};
  std::string out;
  for (size_t i = 0; i < std::min(r.rankings.size(), std::size(kNames)); ++i) {
    out += fmt::format("- {} margin: {}\n", kNames[i], fmt::join(r.rankings[i], ", "));
  }
  return out;
}

std::string contrasts_markdown(const FrontierResult& r) {
  if (r.contrasts.empty()) return "";
  std::string out = "## Contrasts, fixed beforehand\n\n";
  if (!r.regime.empty()) out += "**" + r.regime + "**\n\n";
  out += markdown_table(contrast_rows(r));
  return out +
         "Intervals at the level of each contrast's Holm step. Differs: the interval excludes "
         "equality. Tie: it lies inside the margin. Not resolved: neither. Seeds: how many would "
         "find a difference of one margin with probability 0.8.\n\n";
}

}  // namespace

std::string frontier_value_text(const FrontierValue& v) {
  if (!v.value) return "-";
  const auto end = [](const std::optional<double>& x) {
    return x ? fmt::format("{:.3g}", *x) : std::string("..");
  };
  std::string text = v.censored == "right" ? "> " : v.censored == "left" ? "< " : "";
  text += fmt::format("{:.3g}", *v.value);
  if (!v.censored.empty()) return text;  // a bound is no estimate with an interval
  if (v.low || v.high) text += fmt::format(" [{}, {}]", end(v.low), end(v.high));
  return text + (v.ill_determined ? " ill-determined" : "");
}

std::string frontier_text(const FrontierResult& r) {
  std::string out = fmt::format("{}: {}, {} trials\n", r.title, r.key, r.trials);
  std::vector<std::string> conditions;
  for (const auto& [name, value] : r.conditions) conditions.push_back(name + " " + value);
  if (!conditions.empty()) out += fmt::format("{}\n", fmt::join(conditions, ", "));
  out += "\n" + aligned(arm_rows(r));
  if (!r.contrasts.empty()) out += "\n" + aligned(contrast_rows(r));
  if (!r.regime.empty()) out += "\n" + r.regime + "\n";
  if (const std::string text = early_stop_text(r); !text.empty()) out += "\n" + text + "\n";
  if (!r.notes.empty()) out += "\n" + list_text(r.notes, "- ");
  return out;
}

std::string frontier_markdown(const FrontierResult& r) {
  std::string out = fmt::format("# {}\n\nFrontiers of `{}`, {} values failing. ", r.title, r.key,
                                r.above ? "large" : "small");
  out += fmt::format("{} trials, {} that failed by themselves, {} of training.\n\n", r.trials,
                     r.failed, short_duration(r.seconds));
  out += markdown_table(arm_rows(r));
  out +=
      "Loss: of held-out data at the arm's own best value, scored on seeds that did not choose it. "
      "Diverges: between the last value below which all seeds pass and the first that fails. "
      "Headroom: training frontier over best value. Update: RMS of an update over RMS of the "
      "weights after the warm-up, at the highest value that trains. `>` and `<`: only a bound is "
      "known.\n\n";
  out += contrasts_markdown(r);
  if (!r.axis_points.empty()) out += axis_text(r);
  out += "## By value\n\n" + rates_text(r);
  out += "Sensitivity to the value over the whole grid, RMS at initialisation, published values";
  out += (r.published_label.empty() ? "" : " (" + r.published_label + ")") + ":\n\n";
  out += start_text(r);
  out += "Order by training frontier, the furthest first:\n\n" + order_text(r) + "\n";
  out += "## Rule\n\n" + rule_text(r) + "\n\n";
  if (const std::string text = early_stop_text(r); !text.empty()) out += text + "\n\n";
  out += "## Conditions\n\n" + pairs_text(r.conditions) + "\n";
  if (!r.notes.empty()) out += "## Caveats\n\n" + list_text(r.notes, "- ") + "\n";
  out += "## Made by\n\n" + pairs_text(r.versions);
  for (const std::string& command : r.commands) out += "\n```\n" + command + "\n```\n";
  return out;
}

}  // namespace keel
