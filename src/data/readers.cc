#include "data/readers.h"

#include <optional>

#include "data/copy_task.h"
#include "data/grammar.h"
#include "data/jsonl_reader.h"
#include "data/markov.h"
#include "data/npy_reader.h"
#include "data/random_tokens.h"
#include "data/recall.h"
#include "data/shards_reader.h"
#include "data/text_reader.h"

namespace keel {

const Registry<Reader>& readers() {
  using R = Registry<Reader>;
  static const R r{"data",
                   {
                       R::entry<TextReader>("text", "text files, each one document"),
                       R::entry<JsonlReader>("jsonl", "JSON lines with a key text, also .zst"),
                       R::entry<ShardsReader>("shards", "token ids, .bin of nanoGPT or llm.c"),
                       R::entry<NpyReader>("npy", "token ids in NumPy arrays"),
                       R::entry<Markov>("markov", "generated: a Markov chain of known entropy"),
                       R::entry<Grammar>("grammar", "generated: an unambiguous grammar"),
                       R::entry<Recall>("recall", "generated: values recalled by their keys"),
                       R::entry<CopyTask>("copy", "generated: symbols to be repeated"),
                       R::entry<RandomTokens>("random", "generated: uniform ids, for benchmarks"),
                   }};
  return r;
}

std::unique_ptr<FileReader> reader_for(const std::string& path, const Tokenizer& tokenizer) {
  const std::string first =
      expand_paths({path}, {".txt", ".jsonl", ".jsonl.zst", ".bin", ".npy"})[0];
  if (first.ends_with(".bin")) return std::make_unique<ShardsReader>(ShardsReader::Config());
  if (first.ends_with(".npy")) return std::make_unique<NpyReader>(NpyReader::Config());
  if (first.ends_with(".jsonl") || first.ends_with(".jsonl.zst")) {
    JsonlReader::Config config;
    config.tokenizer.select(tokenizer.kind());
    return std::make_unique<JsonlReader>(config);
  }
  TextReader::Config config;
  config.tokenizer.select(tokenizer.kind());
  return std::make_unique<TextReader>(config);
}

}  // namespace keel
