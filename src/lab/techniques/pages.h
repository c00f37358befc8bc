// What is written from the table of techniques: the answers of `keel techniques` and the pages of
// docs/techniques.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lab/techniques/block.h"
#include "lab/techniques/technique.h"

namespace keel {

// All by family, a line each.
std::string techniques_text();
// [{"name", "family", "keys", "source", "default"}]; default: of the switch, the first key.
Json techniques_json();
// All that is known of one, its block included; at most 80 columns where words allow. ConfigError
// for an unknown name.
std::string technique_text(std::string_view name);

// A config in which the technique is on and all else is default. ConfigError if `on` is wrong.
RunConfig config_with(const Technique& t);
// The block of that config, marked where the technique sits.
Diagram block_with(const Technique& t);

struct DocFile {
  std::string name, text;
};
// The pages of docs/techniques and their pictures.
std::vector<DocFile> technique_docs();
// Writes them into a folder, which is made where it is missing. IoError.
void write_technique_docs(const std::string& folder);

}  // namespace keel
