// What is in a file or folder of data, for a look before training.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace keel {

struct DataSummary {
  std::string kind;  // as data.kind: text, jsonl, shards or npy
  int64_t files = 0;
  int64_t bytes = 0;                 // of the files on disk
  int64_t tokens = 0;                // end tokens included
  std::optional<int64_t> documents;  // nothing where no id is known to end one
  int64_t vocab = 0;                 // of the tokenizer, or the largest id + 1
  int64_t max_id = 0;
  std::optional<int64_t> distinct;     // ids that occur; nothing above 16 million ids
  std::optional<double> entropy_nats;  // of a token by frequency alone; nothing likewise
  std::vector<int32_t> first;          // up to 64 tokens
  std::string first_text;              // of those
};

// The kind shows in the name: .jsonl, .jsonl.zst, .bin, .npy, else text (byte tokenizer). Reads
// everything once. Throws DataError as opening for training does, and IoError for the token cache.
DataSummary inspect(const std::string& path);

}  // namespace keel
