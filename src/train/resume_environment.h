// Whether a run goes on with the program, libraries and processor that its steps so far were made
// with: RUN/env.json says which, and a resume elsewhere is written down there.
#pragma once

#include <string>

#include "io/json.h"

namespace keel {

struct EnvironmentCheck {
  std::string warning;  // what differs, one text; empty: bits are those of the unbroken run
  std::string json;     // what env.json is to say from now on; empty: what it says now
};

// `text` of the file `name` beside describe_environment() of this process. A file that cannot be
// read gives a warning too: nobody knows then.
EnvironmentCheck check_environment(const std::string& text, const std::string& name,
                                   const Json& now);

}  // namespace keel
