// Whether a run's data is what it was when the run began: RUN/data.json names every file with its
// tokens and the hash of its content, and a resumed run compares.
#pragma once

#include <string>
#include <vector>

#include "data/dataset.h"

namespace keel {

// The text of data.json.
std::string data_json(const Dataset& data);

// What is another than data.json says, one line for each file: "b.txt: 90 tokens, was 100". Files
// are known by their names without folders, so data may move. Empty when all is as it was.
// DataError when `text` (of the file `name`) is damaged.
std::vector<std::string> data_changes(const std::string& text, const std::string& name,
                                      const Dataset& data);

}  // namespace keel
