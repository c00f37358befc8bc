#include "train/checkpoint_names.h"

#include <fmt/format.h>

#include <charconv>

#include "io/fs.h"

namespace keel {

std::string checkpoint_root(const std::string& run) { return join_path(run, "ckpt"); }

std::string checkpoint_name(int64_t step) { return fmt::format("step-{:08}", step); }

std::optional<int64_t> checkpoint_step(std::string_view name) {
  if (!name.starts_with("step-")) return std::nullopt;
  const std::string_view digits = name.substr(5);
  int64_t step = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), step);
  const bool all = error == std::errc() && end == digits.data() + digits.size();
  return all && step >= 0 && checkpoint_name(step) == name ? std::optional(step) : std::nullopt;
}

}  // namespace keel
