// The page of a frontier: one HTML file with the answer, the pictures, every number and the rule.
// All text of the result is data to the page, never markup.
#pragma once

#include <cstddef>
#include <string>

#include "lab/search/result.h"

namespace keel {

struct FrontierPageOptions {
  std::string program = "keel";  // name and version, for the foot of the page
  double unix_time = 0;          // when it was made, seconds since 1970
  size_t max_points = 400;       // of a curve of the growth of norms (>= 8)
};

std::string render_frontier_page(const FrontierResult& result, const FrontierPageOptions& options);

// The same to a file that is replaced whole or not at all. IoError when writing fails.
void write_frontier_page(const FrontierResult& result, const std::string& path,
                         const FrontierPageOptions& options = {});

}  // namespace keel
