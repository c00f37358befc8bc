// What this program is: the text of `keel --version`, and the parts of it that a run's environment
// record keeps. All of it is fixed when the program is built; nothing is read at run time.
#pragma once

#include <string>

namespace keel {

// "0.1.0"
std::string version();
// The commit, as `git describe --always --dirty` names it; "unknown" outside a checkout.
std::string build_id();
// "g++ 12.2.0", "clang++ 16.0.6"
std::string compiler();
// "Release", "Debug"
std::string build_type();
// The libraries that were found when the program was built: "fmt 9.1.0, SQLite 3.40.1, ...".
std::string libraries();

// Several lines, the last one ended. `onednn` is what the backend says of the library in use.
std::string version_text(const std::string& onednn);

}  // namespace keel
