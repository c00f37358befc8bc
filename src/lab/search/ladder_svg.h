// A picture of how far each recipe of a frontier can go, for a README or a slide.
#pragma once

#include <string>

#include "lab/search/result.h"

namespace keel {

// One row a recipe on a logarithmic axis: training frontier and divergence frontier, each with its
// interval, an arrow where it is only a bound; the best rate and, where the file gives them,
// published values. 880 pixels wide, no script, nothing fetched, light and dark. A result without a
// rate above 0 gives a picture that says so.
std::string ladder_svg(const FrontierResult& result);

}  // namespace keel
