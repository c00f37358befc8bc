#include "data/inspect.h"

#include <algorithm>
#include <memory>
#include <span>

#include "data/byte_tokenizer.h"
#include "data/file_reader.h"
#include "data/readers.h"
#include "data/shares.h"

namespace keel {
namespace {

constexpr int64_t kMaxCountedIds = int64_t{1} << 24;

// Calls f with pieces of all tokens in order.
template <class F>
void for_each_chunk(const TokenStore& store, F f) {
  constexpr int64_t kChunk = 1 << 16;
  std::vector<int32_t> ids(kChunk);
  for (int64_t at = 0; at < store.tokens(); at += kChunk) {
    const int64_t n = std::min(kChunk, store.tokens() - at);
    store.read(at, n, ids.data());
    f(std::span<const int32_t>(ids.data(), static_cast<size_t>(n)));
  }
}

void count_ids(const TokenStore& store, DataSummary& summary) {
  std::vector<double> count(static_cast<size_t>(store.vocab()));
  for_each_chunk(store, [&](std::span<const int32_t> ids) {
    for (const int32_t id : ids) ++count[static_cast<size_t>(id)];
  });
  int64_t distinct = 0;
  for (size_t id = 0; id < count.size(); ++id) {
    if (count[id] == 0) continue;
    ++distinct;
    summary.max_id = static_cast<int64_t>(id);
    count[id] /= static_cast<double>(store.tokens());
  }
  summary.distinct = distinct;
  summary.entropy_nats = entropy(count);
}

}  // namespace

DataSummary inspect(const std::string& path) {
  const ByteTokenizer bytes{NoOptions()};
  const std::unique_ptr<FileReader> reader = reader_for(path, bytes, DataConfig());
  const std::vector<std::string> files = reader->files({path});
  TokenStore store = reader->load(files);
  store.set_vocab(0, 0);
  DataSummary summary;
  summary.kind = reader->kind();
  summary.files = static_cast<int64_t>(files.size());
  for (const std::string& file : files) {
    summary.bytes += static_cast<int64_t>(MappedFile(file).bytes());
  }
  summary.tokens = store.tokens();
  summary.vocab = reader->vocab().value_or(store.vocab());
  summary.max_id = store.vocab() - 1;
  if (const auto end = store.end()) {
    int64_t documents = 0;
    for_each_chunk(store, [&](std::span<const int32_t> ids) {
      documents += std::count(ids.begin(), ids.end(), *end);
    });
    summary.documents = documents;
  }
  if (store.vocab() <= kMaxCountedIds) count_ids(store, summary);
  summary.first.resize(static_cast<size_t>(std::min<int64_t>(64, store.tokens())));
  store.read(0, static_cast<int64_t>(summary.first.size()), summary.first.data());
  summary.first_text = decode(reader->tokenizer(), summary.first);
  return summary;
}

}  // namespace keel
