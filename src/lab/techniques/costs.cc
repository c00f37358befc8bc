#include "lab/techniques/costs.h"

#include <fmt/format.h>

#include <algorithm>

#include "lab/assets.h"

namespace keel {

TechniqueCosts costs_of(const Json& json) {
  TechniqueCosts c{json.at("config").as_string(), json.at("machine").as_string(), {}, {}};
  for (const Json& name : json.at("base").as_array()) c.base.push_back(name.as_string());
  for (const Json& r : json.at("rows").as_array()) {
    const auto number = [&](const char* key) { return r.at(key).as_double(); };
    std::optional<double> sampled;
    if (const Json& s = r.at("sampled"); s.is_array()) sampled = s.as_array().front().as_double();
    c.rows.push_back({r.at("technique").as_string(), r.at("form").as_string(), number("time"),
                      number("low"), number("high"), sampled, number("work"), number("memory"),
                      r.at("parameters").as_int(), r.at("date").as_string()});
  }
  return c;
}

const TechniqueCosts& technique_costs() {
  static const TechniqueCosts costs =
      costs_of(parse_json(assets().technique_costs, "the costs of techniques"));
  return costs;
}

std::vector<std::string> cost_lines(const TechniqueCosts& costs, std::string_view technique) {
  if (std::find(costs.base.begin(), costs.base.end(), technique) != costs.base.end()) {
    return {"it is in the step that others are measured against"};
  }
  std::vector<std::string> lines;
  std::string date;
  for (const TechniqueCost& r : costs.rows) {
    if (r.technique != technique) continue;
    std::string line = r.form.empty() ? "" : r.form + ": ";
    line += fmt::format("step time x {:.3f} ({:.3f} to {:.3f})", r.time, r.low, r.high);
    if (r.sampled) line += fmt::format(", x {:.3f} by samples", *r.sampled);
    // As fast as the other step's flops, it would cost what its own are more.
    if (r.work > 1.005) line += fmt::format(", its floor by flops x {:.3f}", r.work);
    line += fmt::format(", memory x {:.3f}, parameters {:+}", r.memory, r.parameters);
    lines.push_back(std::move(line));
    date = r.date;
  }
  if (lines.empty()) return {"not measured"};
  lines.push_back(fmt::format("({}, {}, {})", costs.config, costs.machine, date));
  return lines;
}

}  // namespace keel
