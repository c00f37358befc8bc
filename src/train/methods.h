// The methods that "Methods of improving LLM training stability" compares (Rybakov et al., arXiv
// 2410.16682), as presets of the top-level key `method`. Each one writes every switch that any of
// them touches, so that one replaces another whole. The table is in methods.cc.
#pragma once

#include "config/presets.h"

namespace keel {

const Presets& methods();

}  // namespace keel
