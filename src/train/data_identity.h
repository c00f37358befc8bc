// Whether a run's data is what it was when the run began: RUN/data.json names every file with its
// tokens and the hash of its content, and a resumed run compares.
#pragma once

#include <string>
#include <vector>

#include "data/dataset.h"
#include "io/fs.h"

namespace keel {

inline constexpr const char* kDataFile = "data.json";  // in a run's folder

// The text of data.json.
std::string data_json(const Dataset& data);

// What is another than data.json says, one line for each file: "b.txt: 90 tokens, was 100". Files
// are known by their names without folders, so data may move. Empty when all is as it was.
// DataError when `text` (of the file `name`) is damaged.
std::vector<std::string> data_changes(const std::string& text, const std::string& name,
                                      const Dataset& data);
// The same for the run in folder `run`; where its file is missing or damaged nothing, and a line in
// `notes` that says so.
std::vector<std::string> changes_since_start(Fs& fs, const std::string& run, const Dataset& data,
                                             std::vector<std::string>& notes);

}  // namespace keel
