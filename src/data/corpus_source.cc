#include "data/corpus_source.h"

#include <algorithm>

#include "core/philox.h"
#include "data/permutation.h"
#include "io/hash.h"

namespace keel {
namespace {

// With fewer windows than this a whole window is too much to give up for a free offset.
constexpr int64_t kWindowsForFreeOffset = 64;
// Files are known again by every byte up to this size of all of them, which is read when they are
// opened anyway, and by samples beyond.
constexpr int64_t kWholeFilesBytes = int64_t{4} << 30;

}  // namespace

CorpusSource::CorpusSource(Setup setup) : setup_(std::move(setup)) {
  const int64_t t = setup_.context;
  if (!setup_.train.store) return;
  windows_ = (setup_.train.range.tokens() - 1) / t;
  if (setup_.lanes > 0) {
    windows_ -= windows_ % setup_.lanes;
  } else if (windows_ >= kWindowsForFreeOffset) {
    --windows_;
  }
}

int64_t CorpusSource::train_begin(int64_t n) const {
  const int64_t t = setup_.context;
  const TokenRange& range = setup_.train.range;
  if (setup_.lanes > 0) {
    const int64_t in_lane = windows_ / setup_.lanes;
    return range.begin + (n % setup_.lanes * in_lane + n / setup_.lanes % in_lane) * t;
  }
  const auto epoch = static_cast<uint64_t>(n / windows_);
  const uint64_t key = mix64(mix64(setup_.seed + stream_of("data.shuffle")) + epoch);
  // Each pass cuts the text elsewhere, by as much as the tokens left over allow.
  const int64_t spare = std::min(range.tokens() - 1 - windows_ * t, t - 1);
  const auto shift = static_cast<int64_t>(mix64(key ^ 1) % static_cast<uint64_t>(spare + 1));
  return range.begin + shift + Permutation(windows_, key).at(n % windows_) * t;
}

bool CorpusSource::starts_lane(int64_t n) const {
  return setup_.lanes == 0 || n / setup_.lanes % (windows_ / setup_.lanes) == 0;
}

void CorpusSource::train_window(int64_t n, const WindowOut& out) const {
  fill(setup_.train, train_begin(n), setup_.context, out);
}

int64_t CorpusSource::eval_targets() const {
  return setup_.eval.store ? setup_.eval.range.tokens() - 1 : 0;
}

int64_t CorpusSource::eval_windows() const {
  return (eval_targets() + setup_.context - 1) / setup_.context;
}

void CorpusSource::eval_window(int64_t n, const WindowOut& out) const {
  const int64_t before = n * setup_.context;
  fill(setup_.eval, setup_.eval.range.begin + before,
       std::min(setup_.context, eval_targets() - before), out);
}

// `targets` count, the rest of the row is filled with id 0 of weight 0.
void CorpusSource::fill(const CorpusPart& part, int64_t begin, int64_t targets,
                        const WindowOut& out) const {
  const int64_t t = setup_.context;
  part.store->read(begin, targets, out.inputs);
  std::copy(out.inputs + 1, out.inputs + targets, out.targets);
  part.store->read(begin + targets, 1, out.targets + targets - 1);
  std::fill(out.weights, out.weights + targets, 1.0f);
  std::fill(out.inputs + targets, out.inputs + t, 0);
  std::fill(out.targets + targets, out.targets + t, 0);
  std::fill(out.weights + targets, out.weights + t, 0.0f);
  if (!out.segments) return;
  const std::optional<int32_t> end = part.store->end();
  int32_t segment = 0;
  for (int64_t i = 0; i < t; ++i) {
    out.segments[i] = segment;
    if (end && out.inputs[i] == *end) segment = static_cast<int32_t>(i + 1);
  }
}

int64_t CorpusSource::eval_bytes(const Tokenizer& tokenizer) const {
  constexpr int64_t kChunk = 4096;
  int32_t ids[kChunk];
  std::string text;
  int64_t bytes = 0;
  const int64_t last = setup_.eval.range.begin + eval_targets();
  for (int64_t at = setup_.eval.range.begin + 1; at <= last; at += kChunk) {
    const int64_t count = std::min(kChunk, last + 1 - at);
    setup_.eval.store->read(at, count, ids);
    text.clear();
    for (int64_t i = 0; i < count; ++i) tokenizer.decode(ids[i], text);
    bytes += static_cast<int64_t>(text.size());
  }
  return bytes;
}

Place CorpusSource::place(const TokenStore& store, int64_t token) const {
  const TokenStore::Spot spot = store.locate(token);
  const bool text = spot.piece->type == TokenType::kU8 && spot.piece->add_end;
  return {"", spot.piece->name, text ? "byte" : "token", spot.token};
}

Place CorpusSource::train_place(int64_t n) const {
  return place(*setup_.train.store, train_begin(n));
}

Place CorpusSource::eval_place(int64_t n) const {
  return place(*setup_.eval.store, setup_.eval.range.begin + n * setup_.context);
}

int64_t CorpusSource::vocab() const {
  const int64_t a = setup_.train.store ? setup_.train.store->vocab() : 0;
  const int64_t b = setup_.eval.store ? setup_.eval.store->vocab() : 0;
  return std::max(a, b);
}

std::string CorpusSource::fingerprint() const {
  std::string both;
  for (const CorpusPart* part : {&setup_.train, &setup_.eval}) {
    if (!part->store) continue;
    both += part->store->fingerprint();
    both += std::to_string(part->range.begin) + ":" + std::to_string(part->range.end) + "\n";
  }
  return xxh3_hex(both);
}

std::vector<DataFile> CorpusSource::files() const {
  std::vector<DataFile> out;
  if (setup_.train.store) out = setup_.train.store->files(kWholeFilesBytes);
  if (!setup_.eval.store || setup_.eval.store == setup_.train.store) return out;
  for (DataFile& f : setup_.eval.store->files(kWholeFilesBytes)) out.push_back(std::move(f));
  return out;
}

}  // namespace keel
