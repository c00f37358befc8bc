// Which devices this program can compute on, and the one clear error where it cannot.
#pragma once

#include <string>
#include <string_view>

#include "core/device_kind.h"

namespace keel {

// "cpu" or "cuda". DeviceError for another name, for "cuda" in a program built without it, and for
// "cuda" where no GPU can be used (the text has the driver's reason). Call it before data is read.
DeviceKind device_named(std::string_view name);

// Why CUDA cannot be used here; empty if it can.
std::string cuda_problem();

// "NVIDIA H200, 139 GiB, compute capability 9.0"; only where cuda_problem() is empty.
std::string cuda_description();

}  // namespace keel
