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
// Its options are those of `run` where that is of the same kind; else `tokenizer`, the run's, and
// whether documents are apart are taken over. Throws DataError if the path does not exist.
std::unique_ptr<FileReader> reader_for(const std::string& path, const Tokenizer& tokenizer,
                                       const DataConfig& run);

}  // namespace keel
