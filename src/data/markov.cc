#include "data/markov.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/stop.h"
#include "data/shares.h"

namespace keel {
namespace {

// Keeps the table in cache and the exact chain instant.
constexpr int64_t kMaxContexts = int64_t{1} << 18;

int64_t power(int64_t base, int64_t exponent) {
  int64_t result = 1;
  for (int64_t i = 0; i < exponent && result <= kMaxContexts; ++i) result *= base;
  return result;
}

}  // namespace

void Markov::Config::fields(Fields& f) {
  f("order", order, "symbols that the next one depends on", between(1, 8));
  f("symbols", symbols, "size of the alphabet", between(2, 65536));
  f("successors", successors, "symbols that may follow a context", between(1, 8));
  f("classes", classes, "what is remembered of all symbols but the last: symbol modulo classes",
    at_least(1));
  LanguageOptions::fields(f);
}

void Markov::Config::validate(Errors& errors) const {
  if (successors > symbols) {
    errors.add("successors", "is more than there are symbols", {"symbols"});
  }
  if (classes > symbols) errors.add("classes", "is more than there are symbols", {"symbols"});
  if (power(symbols, order) > kMaxContexts) {
    errors.add(
        "order",
        "symbols to the power of order is above " + std::to_string(kMaxContexts) + " contexts",
        {"symbols"});
  }
}

Markov::Markov(const Config& config) : Language("markov", config, config.symbols), config_(config) {
  contexts_ = power(config_.symbols, config_.order);
  make_rows();
  find_stationary();
  for (int64_t length = 1; length <= config_.order; ++length) {
    marginals_.push_back(marginal(length));
  }
}

int64_t Markov::row_index(int64_t context) const {
  int64_t index = context % config_.symbols;
  int64_t rest = context / config_.symbols;
  int64_t place = config_.symbols;
  for (int64_t older = 1; older < config_.order; ++older) {
    index += rest % config_.symbols % config_.classes * place;
    rest /= config_.symbols;
    place *= config_.classes;
  }
  return index;
}

std::span<const Markov::Successor> Markov::row(int64_t context) const {
  const auto n = static_cast<size_t>(config_.successors);
  return {rows_.data() + static_cast<size_t>(row_index(context)) * n, n};
}

void Markov::make_rows() {
  const int64_t rows = config_.symbols * power(config_.classes, config_.order - 1);
  const auto n = static_cast<size_t>(config_.successors);
  rows_.resize(static_cast<size_t>(rows) * n);
  std::vector<uint64_t> shares(n);
  for (int64_t r = 0; r < rows; ++r) {
    if (r % 4096 == 0) stop_point();
    Draws draws(static_cast<uint64_t>(config_.seed), "markov.row", static_cast<uint64_t>(r));
    draw_shares(draws, shares);
    Successor* row = rows_.data() + static_cast<size_t>(r) * n;
    for (size_t i = 0; i < n;) {
      const auto symbol = static_cast<int32_t>(draws.below(config_.symbols));
      const auto same = [&](const Successor& s) { return s.symbol == symbol; };
      if (std::any_of(row, row + i, same)) continue;
      row[i] = {symbol, shares[i]};
      ++i;
    }
  }
}

// Half of the probability stays where it is, so that the iteration converges for periodic chains
// too; the stationary distribution is the same.
void Markov::step(const std::vector<double>& from, std::vector<double>& to) const {
  const int64_t newest = contexts_ / config_.symbols;
  for (size_t c = 0; c < from.size(); ++c) to[c] = 0.5 * from[c];
  for (int64_t c = 0; c < contexts_; ++c) {
    const double p = 0.5 * from[static_cast<size_t>(c)] / static_cast<double>(kOne);
    const int64_t shifted = c % newest * config_.symbols;
    for (const Successor& s : row(c)) {
      to[static_cast<size_t>(shifted + s.symbol)] += p * static_cast<double>(s.share);
    }
  }
}

void Markov::find_stationary() {
  constexpr double kConverged = 1e-13;
  constexpr int kMaxSteps = 10000;
  const auto n = static_cast<size_t>(contexts_);
  stationary_.assign(n, 1.0 / static_cast<double>(n));
  std::vector<double> next(n);
  double change = 1;
  for (int i = 0; i < kMaxSteps && change > kConverged; ++i) {
    stop_point();
    step(stationary_, next);
    change = 0;
    for (size_t c = 0; c < n; ++c) change += std::abs(next[c] - stationary_[c]);
    stationary_.swap(next);
  }
  const double total = std::accumulate(stationary_.begin(), stationary_.end(), 0.0);
  for (double& p : stationary_) p /= total;
  cumulative_.resize(n);
  std::partial_sum(stationary_.begin(), stationary_.end(), cumulative_.begin());
}

std::vector<double> Markov::marginal(int64_t length) const {
  const int64_t strings = power(config_.symbols, length);
  std::vector<double> result(static_cast<size_t>(strings));
  for (int64_t c = 0; c < contexts_; ++c) {
    result[static_cast<size_t>(c / (contexts_ / strings))] += stationary_[static_cast<size_t>(c)];
  }
  return result;
}

void Markov::generate(Draws& draws, std::span<int32_t> tokens) const {
  const double u = draws.uniform() * cumulative_.back();
  const auto found = std::upper_bound(cumulative_.begin(), cumulative_.end() - 1, u);
  int64_t context = found - cumulative_.begin();
  const auto order = static_cast<size_t>(config_.order);
  int64_t digits = context;
  for (size_t i = order; i-- > 0; digits /= config_.symbols) {
    if (i < tokens.size()) tokens[i] = static_cast<int32_t>(digits % config_.symbols);
  }
  const int64_t newest = contexts_ / config_.symbols;
  for (size_t i = order; i < tokens.size(); ++i) {
    uint64_t left = draws.next();
    const Successor* s = row(context).data();
    while (left >= s->share) left -= (s++)->share;
    tokens[i] = s->symbol;
    context = context % newest * config_.symbols + s->symbol;
  }
}

void Markov::surprisal(std::span<const int32_t> tokens, std::span<double> nats) const {
  const int64_t newest = contexts_ / config_.symbols;
  int64_t context = tokens[0];
  for (size_t t = 0; t < nats.size(); ++t) {
    const int32_t target = tokens[t + 1];
    const size_t seen = t + 1;
    double p = 0;
    if (seen < static_cast<size_t>(config_.order)) {
      const int64_t longer = context * config_.symbols + target;
      p = marginals_[seen][static_cast<size_t>(longer)] /
          marginals_[seen - 1][static_cast<size_t>(context)];
      context = longer;
    } else {
      for (const Successor& s : row(context)) {
        if (s.symbol == target) p = static_cast<double>(s.share) / static_cast<double>(kOne);
      }
      context = context % newest * config_.symbols + target;
    }
    nats[t] = -std::log(p);
  }
}

std::optional<double> Markov::entropy_floor(int64_t length) const {
  double rate = 0;
  for (int64_t c = 0; c < contexts_; ++c) {
    double h = 0;
    for (const Successor& s : row(c)) {
      const double p = static_cast<double>(s.share) / static_cast<double>(kOne);
      h -= p * std::log(p);
    }
    rate += stationary_[static_cast<size_t>(c)] * h;
  }
  const int64_t first = std::min(length, config_.order - 1);
  double sum = static_cast<double>(length - first) * rate;
  if (first > 0) sum += entropy(marginals_[static_cast<size_t>(first)]) - entropy(marginals_[0]);
  return sum / static_cast<double>(length);
}

}  // namespace keel
