#include "train/generate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/device_memory.h"
#include "core/error.h"
#include "core/philox.h"
#include "core/stop.h"

namespace keel {
namespace {

void must(bool ok, const char* option, const char* rule) {
  if (!ok) throw ConfigError(fmt::format("{}: must be {}", option, rule));
}

void penalise(std::vector<float>& logits, std::span<const int32_t> seen, double penalty) {
  std::vector<bool> done(logits.size());
  for (int32_t t : seen) {
    const size_t i = static_cast<size_t>(t);
    if (i >= logits.size() || done[i]) continue;
    done[i] = true;
    logits[i] = static_cast<float>(logits[i] > 0 ? logits[i] / penalty : logits[i] * penalty);
  }
}

// Tokens in falling order of their logits, ties by id.
std::vector<int32_t> ranked(const std::vector<float>& logits) {
  std::vector<int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    return logits[static_cast<size_t>(a)] > logits[static_cast<size_t>(b)];
  });
  return order;
}

// How many of the ranked tokens stay under top-k, top-p and min-p.
size_t kept(const std::vector<double>& p, const GenerateOptions& o) {
  size_t n = p.size();
  if (o.top_k > 0) n = std::min(n, static_cast<size_t>(o.top_k));
  const double total = std::accumulate(p.begin(), p.end(), 0.0);
  double sum = 0;
  for (size_t i = 0; i < n; ++i) {
    if (i > 0 && (sum >= o.top_p * total || p[i] < o.min_p * p[0])) return i;
    sum += p[i];
  }
  return n;
}

// Length of the part of `text` that ends with a whole UTF-8 character.
size_t whole_characters(std::string_view text) {
  for (size_t back = 1; back <= std::min<size_t>(3, text.size()); ++back) {
    const auto c = static_cast<unsigned char>(text[text.size() - back]);
    if ((c & 0xC0) == 0x80) continue;
    const size_t needs = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : c >= 0xC0 ? 2 : 1;
    return needs > back ? text.size() - back : text.size();
  }
  return text.size();
}

}  // namespace

void check_options(const GenerateOptions& o) {
  must(o.tokens >= 0, "-n", "at least 0");
  must(o.temperature >= 0, "--temp", "at least 0");
  must(o.top_k >= 0, "--top-k", "at least 0");
  must(o.top_p > 0 && o.top_p <= 1, "--top-p", "above 0 and at most 1");
  must(o.min_p >= 0 && o.min_p <= 1, "--min-p", "between 0 and 1");
  must(o.repetition_penalty > 0, "--repetition-penalty", "above 0");
  must(o.seed >= 0, "--seed", "at least 0");
}

int32_t sample_token(std::span<const float> logits, std::span<const int32_t> seen,
                     const GenerateOptions& o, uint64_t draw) {
  std::vector<float> l(logits.begin(), logits.end());
  if (o.repetition_penalty != 1.0) penalise(l, seen, o.repetition_penalty);
  if (o.temperature == 0) {
    return static_cast<int32_t>(std::max_element(l.begin(), l.end()) - l.begin());
  }
  const std::vector<int32_t> order = ranked(l);
  std::vector<double> p(l.size());
  const double top = static_cast<double>(l[static_cast<size_t>(order[0])]);
  for (size_t i = 0; i < p.size(); ++i) {
    p[i] = std::exp((static_cast<double>(l[static_cast<size_t>(order[i])]) - top) / o.temperature);
  }
  const size_t n = kept(p, o);
  const double sum = std::accumulate(p.begin(), p.begin() + static_cast<std::ptrdiff_t>(n), 0.0);
  const auto bits =
      philox_block(philox_key(static_cast<uint64_t>(o.seed), stream_of("generate"), 0), 0, draw);
  double left = (static_cast<double>(bits[0]) + 0.5) * 0x1p-32 * sum;
  for (size_t i = 0; i < n; ++i) {
    left -= p[i];
    if (left < 0) return order[i];
  }
  return order[n - 1];
}

Continuation::Continuation(const Decoder& model, std::optional<int32_t> end)
    : model_(model), end_(end), states_(model.make_states(1, model.config().context)) {}

// An end token is the last of its own document: only what follows it is in the next one.
size_t Continuation::document_with(std::span<const int32_t> tokens) const {
  size_t begin = document_;
  if (!end_ || tokens.empty()) return begin;
  if (!seen_.empty() && seen_.back() == *end_) begin = seen_.size();
  for (size_t i = 0; i + 1 < tokens.size(); ++i) {
    if (tokens[i] == *end_) begin = seen_.size() + i + 1;
  }
  return begin;
}

bool Continuation::read(std::span<const int32_t> tokens) {
  const auto context = static_cast<size_t>(model_.config().context);
  const size_t document = document_with(tokens);
  const size_t in_sight = seen_.size() + tokens.size() - document;
  const size_t cached = document == document_ ? static_cast<size_t>(filled_) : 0;
  const size_t fresh = cached > 0 ? tokens.size() : in_sight;
  const bool fits = cached + fresh <= context;
  if (!fits && !model_.slides()) return false;
  seen_.insert(seen_.end(), tokens.begin(), tokens.end());
  document_ = document;
  if (fits) {
    filled_ = static_cast<int64_t>(cached);
    append(std::span(seen_).last(fresh));
    return true;
  }
  filled_ = 0;
  append(std::span(seen_).last(std::min(in_sight, std::max<size_t>(1, context / 2))));
  return true;
}

void Continuation::append(std::span<const int32_t> tokens) {
  const int64_t n = static_cast<int64_t>(tokens.size());
  NoGrad off;
  Pass pass;
  const DeviceKind device = model_.parameters().device();
  pass.tokens = moved_to(from_host({1, n}, tokens), device);
  pass.offset = filled_;
  pass.states = &states_;
  // Only what follows the last token is asked for.
  const Var last(model_.hidden(pass).t.slice(1, n - 1, n));
  logits_ = to_host(moved_to(model_.logits_of(last).t, DeviceKind::kCpu));
  bool any = false;
  for (float& v : logits_) {
    if (std::isnan(v)) v = -INFINITY;
    any = any || std::isfinite(v);
  }
  if (!any) {
    throw DataError(
        "the model gives no token a finite score; its weights are not finite, or so "
        "large that its activations are not");
  }
  filled_ += n;
}

Generated generate(const Decoder& model, const Tokenizer& tokenizer, std::string_view prompt,
                   const GenerateOptions& options,
                   const std::function<void(std::string_view)>& write) {
  check_options(options);
  std::vector<int32_t> ids;
  if (prompt.empty() && tokenizer.end()) ids.push_back(*tokenizer.end());
  tokenizer.encode(prompt, ids);
  if (ids.empty()) throw ConfigError("the prompt is empty and the tokenizer has no end token");
  for (int32_t id : ids) {
    if (id >= model.vocab()) {
      throw DataError(
          fmt::format("prompt: token {} is beyond the model's {} ids", id, model.vocab()));
    }
  }
  Generated result;
  Continuation c(model, options.documents_apart ? tokenizer.end() : std::nullopt);
  result.context_full = !c.read(ids);
  std::string pending;
  while (!result.context_full && result.tokens < options.tokens) {
    stop_point();
    const int32_t id =
        sample_token(c.logits(), c.seen(), options, static_cast<uint64_t>(result.tokens));
    if (tokenizer.end() && id == *tokenizer.end()) {
      result.ended = true;
      break;
    }
    ++result.tokens;
    tokenizer.decode(id, pending);
    const size_t whole = whole_characters(pending);
    if (whole > 0) write(std::string_view(pending).substr(0, whole));
    pending.erase(0, whole);
    if (result.tokens < options.tokens) result.context_full = !c.read({&id, 1});
  }
  return result;
}

std::string generate_text(const Decoder& model, const Tokenizer& tokenizer, std::string_view prompt,
                          const GenerateOptions& options) {
  std::string text;
  generate(model, tokenizer, prompt, options, [&](std::string_view s) { text += s; });
  return text;
}

}  // namespace keel
