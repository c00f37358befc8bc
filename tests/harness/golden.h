// Numbers that another program computed, committed under tests/golden with the script that made
// them.
#pragma once

#include <string>
#include <vector>

#include "core/tensor.h"
#include "io/safetensors.h"

namespace keel::test {

class Golden {
 public:
  // File name within tests/golden. Throws DataError, as all of this does, when something is
  // missing.
  explicit Golden(const std::string& file);
  // An F32 or I32 tensor, copied; of at most five axes (none becomes one axis of 1).
  Tensor tensor(const std::string& name) const;
  // An F64 tensor.
  std::vector<double> doubles(const std::string& name) const;

 private:
  SafetensorsFile file_;
};

}  // namespace keel::test
