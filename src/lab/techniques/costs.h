// What techniques were measured to cost (tools/bench_techniques.py, costs.json): a training step
// with the technique beside one without it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/json.h"

namespace keel {

struct TechniqueCost {
  std::string technique, form;         // of which there may be several: "by head"
  double time = 1, low = 1, high = 1;  // ratio of step times with its 90 % interval
  std::optional<double> sampled;       // the same by samples of the processor
  double work = 1, memory = 1;         // of counted flops, of peak memory
  int64_t parameters = 0;              // that it adds
  std::string date;
};

struct TechniqueCosts {
  std::string config, machine;
  std::vector<std::string> base;  // techniques in the step that the others are measured against
  std::vector<TechniqueCost> rows;
};

// Those that this program was built with.
const TechniqueCosts& technique_costs();
// DataError where the JSON is not of that form.
TechniqueCosts costs_of(const Json& json);

// A line for each form of a technique and one that says how it was measured; "not measured".
std::vector<std::string> cost_lines(const TechniqueCosts& costs, std::string_view technique);

}  // namespace keel
