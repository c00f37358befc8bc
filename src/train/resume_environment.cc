#include "train/resume_environment.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "core/error.h"
#include "train/environment.h"

namespace keel {
namespace {

constexpr const char* kEarlier = "earlier";

}  // namespace

EnvironmentCheck check_environment(const std::string& text, const std::string& name,
                                   const Json& now) {
  Json then;
  try {
    then = parse_json(text, name);
  } catch (const DataError& e) {
    return {fmt::format("what the run was made with is not known, so bits may differ from those "
                        "of the unbroken run: {}",
                        e.what()),
            now.dump()};
  }
  std::vector<std::string> lines = environment_differences(then, now);
  const bool moved = !lines.empty();
  Json earlier = Json::array();
  if (const Json* list = then.is_object() ? then.find(kEarlier) : nullptr;
      list != nullptr && list->is_array()) {
    earlier = *list;
  }
  for (const Json& bits : earlier.as_array()) {
    for (std::string& line : environment_differences(Json::object().set("bits", bits), now)) {
      if (std::find(lines.begin(), lines.end(), line) == lines.end()) lines.push_back(line);
    }
  }
  EnvironmentCheck out;
  if (!lines.empty()) {
    out.warning = fmt::format(
        "the run was made with another program, library or processor, so bits may differ from "
        "those of the unbroken run: {}",
        fmt::join(lines, "; "));
  }
  if (moved) {
    const Json* bits = then.is_object() ? then.find("bits") : nullptr;
    if (bits != nullptr) earlier.push(*bits);
    out.json = Json(now).set(kEarlier, std::move(earlier)).dump();
  }
  return out;
}

}  // namespace keel
