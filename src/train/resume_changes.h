// What the config of a resumed run says otherwise than that of its checkpoint, and whether the
// checkpoint's tensors can be those of the changed run.
#pragma once

#include <string>
#include <vector>

#include "train/config.h"

namespace keel {

// One line for each key that differs, for the log: "optim.lr = 0.01 (was 0.001)". ConfigError that
// names keys and a tensor when the parameters would not be the same, or when optimizer, clip or
// average need state that the checkpoint does not hold. Computes nothing and takes no memory of the
// model's size.
std::vector<std::string> accept_changes(const RunConfig& then, const RunConfig& now,
                                        const std::string& checkpoint);

}  // namespace keel
