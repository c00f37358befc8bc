// Names in a run's ckpt/: step-00012000 is a checkpoint, step-00012000.tmp-* one that is being
// written, .trash-* one that is being removed, step-00012000.pin says that the checkpoint of that
// step is pinned.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace keel {

constexpr std::string_view kTrash = ".trash-", kPin = ".pin";

std::string checkpoint_root(const std::string& run);
std::string checkpoint_name(int64_t step);
// The step of a folder under a final name.
std::optional<int64_t> checkpoint_step(std::string_view name);

}  // namespace keel
