// The registry of the kinds of data, and the readers' side of opening files for evaluation.
#pragma once

#include <memory>
#include <string>

#include "data/config.h"
#include "data/source.h"

namespace keel {

class FileReader;

// The reader for a file or folder whose kind shows in its name: .jsonl, .jsonl.zst, .bin, .npy,
// else text. A folder is taken by the first of its files, in order of name, that shows a kind.
// Throws DataError if the path does not exist.
std::unique_ptr<FileReader> reader_for(const std::string& path, const Tokenizer& tokenizer);

}  // namespace keel
