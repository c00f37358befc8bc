// Minimises a smooth function of a few variables by BFGS with a backtracking line search (Nocedal
// and Wright, Numerical Optimization, 2nd ed., algorithm 6.1 and section 3.1).
#pragma once

#include <functional>
#include <span>
#include <vector>

namespace keel {

// The value at x; writes the gradient. The value may be infinite away from the start.
using Objective = std::function<double(std::span<const double> x, std::span<double> gradient)>;

struct Minimum {
  std::vector<double> x;
  double value = 0;
  double gradient_norm = 0;  // largest absolute component; above tolerance where steps ran out or
                             // rounding ended the descent
};

Minimum minimize(const Objective& f, std::vector<double> start, double tolerance = 1e-9,
                 int max_steps = 500);

}  // namespace keel
