// Windows over stored tokens: shuffled without a stored order, or contiguous lanes. A window has
// context + 1 tokens (inputs and, shifted by one, targets) and never leaves its range.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/source.h"
#include "data/token_store.h"

namespace keel {

struct TokenRange {
  int64_t begin = 0, end = 0;
  int64_t tokens() const { return end - begin; }
};

struct CorpusPart {
  std::shared_ptr<const TokenStore> store;  // null: nothing there
  TokenRange range;
};

class CorpusSource final : public Source {
 public:
  struct Setup {
    CorpusPart train, eval;
    int64_t context = 0;
    int64_t lanes = 0;  // 0: shuffled windows
    uint64_t seed = 0;
  };
  // The ranges must hold what is asked of them: one window for each lane, or one.
  explicit CorpusSource(Setup setup);

  void train_window(int64_t n, const WindowOut& out) const override;
  bool starts_lane(int64_t n) const override;
  int64_t train_targets() const override { return windows_ * setup_.context; }
  int64_t eval_targets() const override;
  int64_t eval_windows() const override;
  void eval_window(int64_t n, const WindowOut& out) const override;
  int64_t eval_bytes(const Tokenizer& tokenizer) const override;
  Place train_place(int64_t n) const override;
  Place eval_place(int64_t n) const override;
  int64_t vocab() const override;
  std::string fingerprint() const override;
  std::vector<DataFile> files() const override;

 private:
  // First token of training window n.
  int64_t train_begin(int64_t n) const;
  Place place(const TokenStore& store, int64_t token) const;
  void fill(const CorpusPart& part, int64_t begin, int64_t targets, const WindowOut& out) const;

  Setup setup_;
  int64_t windows_ = 0;  // of training in one pass
};

}  // namespace keel
