#include "data/readers.h"

#include <optional>

#include "data/copy_task.h"
#include "data/file_reader.h"
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

namespace {

std::string kind_of_file(const std::string& path) {
  if (path.ends_with(".bin")) return "shards";
  if (path.ends_with(".npy")) return "npy";
  return path.ends_with(".jsonl") || path.ends_with(".jsonl.zst") ? "jsonl" : "text";
}

// Options of another kind than the run's, for the same model.
void take_tokenizer(FileOptions& options, const Tokenizer& tokenizer) {
  const auto take = [&](Variant<Tokenizer>& own) {
    own.select(tokenizer.kind());
    auto* ids = dynamic_cast<IdTokenizer::Config*>(&own.options());
    if (ids && options.document_mask) ids->end = tokenizer.end().value_or(-1);
  };
  if (auto* text = dynamic_cast<TextReader::Config*>(&options)) {
    take(text->tokenizer);
  } else if (auto* lines = dynamic_cast<JsonlReader::Config*>(&options)) {
    take(lines->tokenizer);
  } else if (auto* ids = dynamic_cast<IdOptions*>(&options); ids && options.document_mask) {
    ids->end_token = tokenizer.end().value_or(-1);
  }
}

}  // namespace

std::unique_ptr<FileReader> reader_for(const std::string& path, const Tokenizer& tokenizer,
                                       const DataConfig& run) {
  const std::string kind =
      kind_of_file(expand_paths({path}, {".txt", ".jsonl", ".jsonl.zst", ".bin", ".npy"})[0]);
  Variant<Reader> reader = run.reader;
  const bool another = reader.kind() != kind;
  if (another) reader.select(kind);
  auto& options = reader.options_as<FileOptions>();
  options.sampler = "shuffled";
  options.document_mask = run.masks_documents() && tokenizer.end().has_value();
  if (another) take_tokenizer(options, tokenizer);
  // Every kind above is one that reads files.
  return std::unique_ptr<FileReader>(static_cast<FileReader*>(readers().make(reader).release()));
}

}  // namespace keel
