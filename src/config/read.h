// The visitor that fills config structs from a tree.
#pragma once

#include <string>
#include <vector>

#include "config/load.h"
#include "config/tree.h"

namespace keel {

// Reads all of `tree` into `out`, appending one line for each error to `errors`.
LoadedConfig read_tree(Tree& tree, Config& out, std::vector<std::string>& errors);
// Where a node was written: "run.toml:3", "--set", or what a resolved config states.
std::string origin_text(const Tree& tree, const TomlNode& node);

}  // namespace keel
