// The second half of checking a config: the rules between values, once every value has been looked
// at by itself.
#pragma once

#include <string>
#include <vector>

#include "config/doubts.h"
#include "config/fields.h"

namespace keel {

struct BrokenRule {
  std::string key;  // dotted, from the root
  std::string text;
};

// What validate() of all structs says, of inner ones first, but for rules that look at a key in
// doubt.
std::vector<BrokenRule> broken_rules(const Config& config, const Doubts& doubts);

}  // namespace keel
