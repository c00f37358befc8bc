// A frontier's result as text: the table of the terminal, and the Markdown file.
#pragma once

#include <string>

#include "lab/search/result.h"

namespace keel {

// A table of the arms, one of contrasts and claims, then what is to be said beside them.
std::string frontier_text(const FrontierResult& result);
// All of it but single trials.
std::string frontier_markdown(const FrontierResult& result);

// "0.00225 [0.0018, 0.0028]", "> 0.01", "< 0.001 [.., 0.002]", "-".
std::string frontier_value_text(const FrontierValue& value);

}  // namespace keel
