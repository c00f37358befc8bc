#include "data/grammar.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "data/shares.h"

namespace keel {
namespace {

// Expected nonterminals in a body stay below this, so sentences end: their mean length is at most
// 1 / (1 - 0.8) times the terminals of a body.
constexpr double kMaxOffspring = 0.8;
constexpr int64_t kMaxTail = 4;  // symbols after the first of a body

double probability(uint64_t share) {
  return static_cast<double>(share) / static_cast<double>(kOne);
}

bool is_terminal(int32_t symbol) { return symbol >= 0; }
size_t nonterminal(int32_t symbol) { return static_cast<size_t>(-1 - symbol); }

double offspring(const std::vector<Grammar::Production>& productions) {
  double mean = 0;
  for (const auto& p : productions) {
    const auto terminals = std::count_if(p.body.begin(), p.body.end(), is_terminal);
    mean +=
        probability(p.share) * static_cast<double>(static_cast<long>(p.body.size()) - terminals);
  }
  return mean;
}

// For each length or position up to a limit: how what may stand there is distributed. Everything
// at n depends on what is before n alone, because each body begins with a terminal.
class Positions {
 public:
  Positions(const std::vector<std::vector<Grammar::Production>>& productions,
            const std::vector<double>& entropies)
      : productions_(productions),
        entropies_(entropies),
        length_(productions.size()),
        entropy_(productions.size()) {
    before_.resize(productions.size());
    for (size_t a = 0; a < productions.size(); ++a) {
      for (const auto& p : productions[a]) before_[a].emplace_back(p.body.size() + 1);
    }
  }

  // Extends all to `limit`, or until what is left of every length distribution is near rounding.
  void extend(int64_t limit) {
    double left = 1;
    for (int64_t n = 0; n < limit && left > 1e-13; ++n) {
      left = 0;
      for (size_t a = 0; a < productions_.size(); ++a) left = std::max(left, extend_one(a));
    }
  }

  // P(the yield of nonterminal a has length n), and the expected entropy at position n of it.
  const std::vector<double>& length(size_t a) const { return length_[a]; }
  const std::vector<double>& entropy(size_t a) const { return entropy_[a]; }

 private:
  // sum over m of x[m] * y[n - m], of what is there.
  static double convolve(const std::vector<double>& x, const std::vector<double>& y, size_t n) {
    double sum = 0;
    for (size_t m = n < y.size() ? 0 : n - y.size() + 1; m <= n && m < x.size(); ++m) {
      sum += x[m] * y[n - m];
    }
    return sum;
  }

  // One more element for nonterminal a; returns how much of its lengths is still to come.
  double extend_one(size_t a) {
    const size_t n = length_[a].size();
    double p_length = 0, expected = n == 0 ? entropies_[a] : 0.0;
    for (size_t r = 0; r < productions_[a].size(); ++r) {
      const auto& [body, share] = productions_[a][r];
      auto& before = before_[a][r];  // [element][n]: P(the elements before it have length n)
      before[0].push_back(n == 0 ? 1.0 : 0.0);
      for (size_t j = 0; j < body.size(); ++j) {
        if (is_terminal(body[j])) {
          before[j + 1].push_back(n == 0 ? 0.0 : before[j][n - 1]);
          continue;
        }
        const size_t b = nonterminal(body[j]);
        expected += probability(share) * convolve(before[j], entropy_[b], n);
        before[j + 1].push_back(convolve(before[j], length_[b], n));
      }
      p_length += probability(share) * before.back()[n];
    }
    length_[a].push_back(p_length);
    entropy_[a].push_back(expected);
    double left = 1;
    for (const double p : length_[a]) left -= p;
    return left;
  }

  const std::vector<std::vector<Grammar::Production>>& productions_;
  const std::vector<double>& entropies_;
  std::vector<std::vector<double>> length_, entropy_;                  // [nonterminal][n]
  std::vector<std::vector<std::vector<std::vector<double>>>> before_;  // [nonterminal][production]
};

}  // namespace

void Grammar::Config::fields(Fields& f) {
  f("symbols", symbols, "terminals; one more id ends a sentence", between(2, 65535));
  f("nonterminals", nonterminals, "kinds of phrases", between(1, 256));
  f("productions", productions, "ways to make each kind of phrase", between(2, 64));
  LanguageOptions::fields(f);
}

void Grammar::Config::validate(Errors& errors) const {
  if (productions > symbols) {
    errors.add("productions", "is more than there are symbols, and each begins with its own",
               {"symbols"});
  }
}

Grammar::Grammar(const Config& config)
    : Language("grammar", config, config.symbols + 1, config.symbols),
      productions_(static_cast<size_t>(config.nonterminals)),
      end_(static_cast<int32_t>(config.symbols)) {
  for (int64_t i = 0; i < config.nonterminals; ++i) make_nonterminal(i, config);
}

// The first production has terminals alone, the last one the next nonterminal, so that all of them
// are reached.
void Grammar::make_nonterminal(int64_t index, const Config& config) {
  Draws draws(static_cast<uint64_t>(config.seed), "grammar.nonterminal",
              static_cast<uint64_t>(index));
  const auto count = static_cast<size_t>(config.productions);
  std::vector<uint64_t> shares(count);
  draw_shares(draws, shares);
  std::vector<Production>& made = productions_[static_cast<size_t>(index)];
  while (made.size() < count) {
    const auto first = static_cast<int32_t>(draws.below(config.symbols));
    const auto same = [&](const Production& p) { return p.body[0] == first; };
    if (std::any_of(made.begin(), made.end(), same)) continue;
    Production p{{first}, shares[made.size()]};
    for (int64_t tail = draws.below(kMaxTail + 1); tail > 0; --tail) {
      const bool phrase = !made.empty() && draws.below(2) == 0;
      p.body.push_back(static_cast<int32_t>(phrase ? -1 - draws.below(config.nonterminals)
                                                   : draws.below(config.symbols)));
    }
    const int64_t next = (index + 1) % config.nonterminals;
    if (made.size() + 1 == count) p.body.push_back(static_cast<int32_t>(-1 - next));
    made.push_back(std::move(p));
  }
  const double mean = offspring(made);
  if (mean > kMaxOffspring) {
    for (size_t i = 1; i < count; ++i) {
      const auto kept =
          static_cast<uint64_t>(static_cast<double>(made[i].share) * kMaxOffspring / mean);
      made[0].share += made[i].share - std::max<uint64_t>(kept, 1);
      made[i].share = std::max<uint64_t>(kept, 1);
    }
  }
  for (size_t i = 0; i < count; ++i) shares[i] = made[i].share;
  entropies_.push_back(entropy(shares));
}

void Grammar::generate(Draws& draws, std::span<int32_t> tokens) const {
  thread_local std::vector<int32_t> due;  // the derivation's stack, the next symbol last
  due.clear();
  due.reserve(tokens.size() * (kMaxTail + 1) + 2);  // all that so many productions can leave
  for (int32_t& token : tokens) {
    if (due.empty()) due = {end_, -1};
    const int32_t symbol = due.back();
    due.pop_back();
    if (is_terminal(symbol)) {
      token = symbol;
      continue;
    }
    uint64_t left = draws.next();
    const Production* p = productions_[nonterminal(symbol)].data();
    while (left >= p->share) left -= (p++)->share;
    due.insert(due.end(), p->body.rbegin(), p->body.rend() - 1);
    token = p->body[0];
  }
}

void Grammar::surprisal(std::span<const int32_t> tokens, std::span<double> nats) const {
  std::fill(nats.begin(), nats.end(), std::numeric_limits<double>::infinity());
  std::vector<int32_t> due;
  for (size_t t = 0; t <= nats.size(); ++t) {
    if (due.empty()) due = {end_, -1};
    const int32_t symbol = due.back();
    due.pop_back();
    double bits = 0;
    if (is_terminal(symbol)) {
      if (symbol != tokens[t]) return;
    } else {
      const auto& choices = productions_[nonterminal(symbol)];
      const auto p = std::find_if(choices.begin(), choices.end(),
                                  [&](const Production& c) { return c.body[0] == tokens[t]; });
      if (p == choices.end()) return;
      due.insert(due.end(), p->body.rbegin(), p->body.rend() - 1);
      bits = -std::log(probability(p->share));
    }
    if (t > 0) nats[t - 1] = bits;
  }
}

std::optional<double> Grammar::entropy_floor(int64_t length) const {
  Positions positions(productions_, entropies_);
  positions.extend(length + 1);
  const std::vector<double>& sentence = positions.length(0);
  const std::vector<double>& within = positions.entropy(0);
  std::vector<double> expected(static_cast<size_t>(length) + 1);
  double sum = 0;
  for (size_t t = 0; t < expected.size(); ++t) {
    double e = t < within.size() ? within[t] : 0.0;
    // An earlier sentence of n tokens and its end token, then what a window that starts there has.
    for (size_t n = 1; n < t && n < sentence.size(); ++n) e += sentence[n] * expected[t - n - 1];
    expected[t] = e;
    if (t > 0) sum += e;
  }
  return sum / static_cast<double>(length);
}

}  // namespace keel
