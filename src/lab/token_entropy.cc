#include "lab/token_entropy.h"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include "core/batch.h"
#include "core/named_memory.h"
#include "core/parallel.h"
#include "core/philox.h"
#include "lab/verdict.h"

namespace keel {
namespace {

constexpr int64_t kMostTokens = int64_t{1} << 30;  // so that 32 bits hold any count
constexpr int64_t kMostTokensHashed = int64_t{1} << 25;
constexpr int64_t kEndlessTokens = int64_t{1} << 21;
constexpr int64_t kTableVocab = 1024;        // ids up to which all pairs have a cell
constexpr int64_t kPieceTokens = 64 * 1024;  // of one piece of parallel work

// f(token before, target) for every target of the batch that counts.
template <class F>
void each_pair(const Batch& batch, F&& f) {
  for (size_t i = 0; i < batch.targets.size(); ++i) {
    if (batch.weights[i] > 0) f(batch.inputs[i], batch.targets[i]);
  }
}

struct Counts {
  explicit Counts(size_t ids) : before(ids), targets(ids) {}
  void add(size_t first, size_t second, int64_t count) {
    pairs.push_back(count);
    before[first] += count;
    targets[second] += count;
  }
  std::vector<int64_t> pairs;  // one for each pair that occurs
  std::vector<int64_t> before, targets;
};

// Occurrences of pairs of any ids, by open addressing.
class HashedPairs {
 public:
  HashedPairs() { resize(1 << 16); }
  void add(int32_t before, int32_t target) {
    const uint64_t pair =
        static_cast<uint64_t>(static_cast<uint32_t>(before)) << 32 | static_cast<uint32_t>(target);
    if (++slot_of(pair) == 1 && ++used_ * 2 > counts_.size()) grow();
  }
  Counts counts(size_t ids) const {
    Counts out(ids);
    for (size_t i = 0; i < counts_.size(); ++i) {
      if (counts_[i] > 0) out.add(pairs_[i] >> 32, pairs_[i] & 0xFFFFFFFFu, counts_[i]);
    }
    return out;
  }

 private:
  void resize(size_t slots) {
    resize_named(pairs_, slots, "the pairs of tokens");
    resize_named(counts_, slots, "the counts of pairs of tokens");
  }
  // The count of `pair`, which is 0 at its first call.
  uint32_t& slot_of(uint64_t pair) {
    const size_t mask = counts_.size() - 1;
    size_t at = mix64(pair) & mask;
    while (counts_[at] > 0 && pairs_[at] != pair) at = (at + 1) & mask;
    pairs_[at] = pair;
    return counts_[at];
  }
  void grow() {
    HashedPairs larger;
    larger.resize(2 * counts_.size());
    for (size_t i = 0; i < counts_.size(); ++i) {
      if (counts_[i] > 0) larger.slot_of(pairs_[i]) = counts_[i];
    }
    larger.used_ = used_;
    std::swap(*this, larger);
  }

  std::vector<uint64_t> pairs_;
  std::vector<uint32_t> counts_;  // 0: the slot is free
  size_t used_ = 0;
};

// What is counted of sequences [0, sequences).
struct Counting {
  const Dataset& data;
  int64_t sequences;
  size_t ids;
  int64_t rows_at_once() const { return std::max<int64_t>(1, kPieceTokens / data.context()); }
};

// Each thread has a table of its own; sums of whole numbers do not depend on who counted what.
Counts count_in_tables(const Counting& what) {
  struct Worker {
    Batch batch;
    std::vector<uint32_t> pairs;
  };
  std::vector<Worker> workers(static_cast<size_t>(num_threads()));
  parallel_ranges(what.sequences, what.rows_at_once(), [&](int64_t begin, int64_t end) {
    Worker& w = workers[static_cast<size_t>(worker_index())];
    if (w.pairs.empty()) resize_named(w.pairs, what.ids * what.ids, "the counts of pairs");
    what.data.train_batch(begin, end - begin, w.batch);
    each_pair(w.batch, [&](int32_t before, int32_t target) {
      ++w.pairs[static_cast<size_t>(before) * what.ids + static_cast<size_t>(target)];
    });
  });
  Counts out(what.ids);
  for (size_t i = 0; i < what.ids * what.ids; ++i) {
    int64_t count = 0;
    for (const Worker& w : workers) count += w.pairs.empty() ? 0 : w.pairs[i];
    if (count > 0) out.add(i / what.ids, i % what.ids, count);
  }
  return out;
}

// In the order of the sequences, as the order of the slots, and so of the sums, hangs on it.
Counts count_hashed(const Counting& what) {
  HashedPairs pairs;
  Batch batch;
  for (int64_t at = 0; at < what.sequences; at += what.rows_at_once()) {
    what.data.train_batch(at, std::min(what.rows_at_once(), what.sequences - at), batch);
    each_pair(batch, [&](int32_t before, int32_t target) { pairs.add(before, target); });
  }
  return pairs.counts(what.ids);
}

TokenEntropy entropy_of(const Counts& counts) {
  TokenEntropy out;
  out.unigram = unigram_entropy(counts.targets);
  // H(target | before) = H(before, target) - H(before), not below 0 by rounding.
  out.bigram = std::max(0.0, unigram_entropy(counts.pairs) - unigram_entropy(counts.before));
  out.tokens = std::accumulate(counts.targets.begin(), counts.targets.end(), int64_t{0});
  return out;
}

}  // namespace

TokenEntropy token_entropy(const Dataset& data) {
  const auto ids = static_cast<size_t>(data.vocab());
  const bool table = data.vocab() <= kTableVocab;
  int64_t tokens = data.train_tokens() > 0 ? data.train_tokens() : kEndlessTokens;
  tokens = std::min(tokens, table ? kMostTokens : kMostTokensHashed);
  const Counting what{data, (tokens + data.context() - 1) / data.context(), ids};
  return entropy_of(table ? count_in_tables(what) : count_hashed(what));
}

}  // namespace keel
