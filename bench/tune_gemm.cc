// Measures how each product of the given configs is best cut and writes src/backend/cpu/
// gemm_table.cc to standard output: tune_gemm CONFIG... Among the cuts within 3 % of the fastest it
// takes one with at least eight slices, or as many as there are, so that more threads than were
// measured find work; then it runs that one and the rule's (gemm_cut.cc) in turns, and the table
// gets it only where it is faster by 5 % in the middle of these pairs, twice. So a shape that is
// not in the table is one where nothing was gained, on a busy machine too. No cut has fewer slices
// than the rule's.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <set>
#include <tuple>
#include <vector>

#include "backend/cpu/gemm.h"
#include "backend/cpu/gemm_table.h"
#include "config/load.h"
#include "core/error.h"
#include "ops/cross_entropy.h"
#include "train/config.h"

namespace keel {
namespace {

struct Product {
  int64_t m, n, k;
  GemmForm form;
  auto operator<=>(const Product&) const = default;
};

// The three products of a linear layer with `rows` inputs.
void add_linear(std::set<Product>& out, int64_t rows, int64_t to, int64_t from) {
  out.insert({rows, to, from, GemmForm::kForward});
  out.insert({rows, from, to, GemmForm::kInputGradient});
  out.insert({to, from, rows, GemmForm::kWeightGradient});
}

void add_config(std::set<Product>& out, const char* path) {
  RunConfig c;
  load_config(path, {}, c);
  const ModelConfig& m = c.model;
  const int64_t rows = c.train.batch * m.context, q = m.heads * m.head_dim_in_force();
  const int64_t kv = m.kv_heads_in_force() * m.head_dim_in_force();
  const FfnOptions& f = m.ffn.options_as<FfnOptions>();
  const bool gated = m.ffn.kind() == "swiglu";
  const int64_t hidden = ffn_width(f, m.dim, gated);
  add_linear(out, rows, q + 2 * kv, m.dim);
  add_linear(out, rows, m.dim, q);
  add_linear(out, rows, gated ? 2 * hidden : hidden, m.dim);
  add_linear(out, rows, m.dim, hidden);
  add_linear(out, head_chunk_rows(rows, c.vocab(), m.dim), c.vocab(), m.dim);
}

double seconds_of(const Gemm& g, GemmCut cut, int repeats) {
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < repeats; ++i) gemm_with_cut(cpu(), g, cut);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  return took.count() / repeats;
}

Tensor filled(int64_t rows, int64_t columns, DType type) {
  std::vector<float> v(static_cast<size_t>(rows * columns));
  uint32_t x = 12345;
  for (float& f : v) {
    x = x * 1664525u + 1013904223u;
    f = static_cast<float>(x >> 8) * 0x1p-24f - 0.5f;
  }
  return from_host({rows, columns}, v, type);
}

struct Timed {
  GemmCut cut;
  double seconds;
};

std::vector<Timed> candidates(const Product& p, GemmCut rule) {
  std::vector<Timed> out;
  for (bool pack : {false, true}) {
    for (int rows : {1, 2, 4, 8, 16}) {
      for (int columns : {1, 2, 4, 8, 16}) {
        const bool too_thin = p.m / rows < 16 || p.n / columns < 16;
        const bool single = rows * columns == 1 && (p.m >= 64 || p.n >= 64);
        const bool too_few = rows * columns < rule.rows * rule.columns;
        if (too_thin || single || too_few || rows * columns > 32) continue;
        out.push_back({{rows, columns, pack, rule.turn}, 1e30});
      }
    }
  }
  if (out.empty()) out.push_back({rule, 1e30});
  return out;
}

// A product to be timed, and how often in one timing.
struct Trial {
  Gemm g;
  int repeats;
  bool large;
};

Trial make_trial(const Product& p, DType type) {
  Gemm g;
  g.a_transposed = p.form == GemmForm::kWeightGradient;
  g.b_transposed = p.form == GemmForm::kForward;
  g.a = g.a_transposed ? filled(p.k, p.m, type) : filled(p.m, p.k, type);
  g.b = g.b_transposed ? filled(p.n, p.k, type) : filled(p.k, p.n, type);
  const DType out = p.form == GemmForm::kWeightGradient ? DType::kF32 : type;
  g.c = persistent({p.m, p.n}, out, DeviceKind::kCpu, "a product");
  const double flops = 2.0 * double(p.m) * double(p.n) * double(p.k);
  return {g, std::clamp(static_cast<int>(4e8 / flops), 1, 200), flops > 4e9};
}

GemmCut best_cut(const Product& p, const Trial& trial, GemmCut rule) {
  std::vector<Timed> all = candidates(p, rule);
  // Rounds over all cuts, so that a slow moment of the machine hits none of them alone.
  for (int round = 0; round < (trial.large ? 4 : 7); ++round) {
    for (Timed& t : all) t.seconds = std::min(t.seconds, seconds_of(trial.g, t.cut, trial.repeats));
  }
  double fastest = 1e30;
  for (const Timed& t : all) fastest = std::min(fastest, t.seconds);
  const auto score = [&](const Timed& t) {
    const int slices = std::min(t.cut.rows * t.cut.columns, 8);
    return std::tuple(t.seconds <= 1.03 * fastest ? -slices : 0, t.seconds);
  };
  return std::min_element(all.begin(), all.end(),
                          [&](const Timed& a, const Timed& b) { return score(a) < score(b); })
      ->cut;
}

// How much faster `cut` is than `rule`: the median over pairs of timings, one right after the
// other.
double gain(const Trial& trial, GemmCut cut, GemmCut rule) {
  std::vector<double> ratios;
  for (int pair = 0; pair < (trial.large ? 7 : 15); ++pair) {
    const bool rule_first = pair % 2 == 0;
    const double a = seconds_of(trial.g, rule_first ? rule : cut, trial.repeats);
    const double b = seconds_of(trial.g, rule_first ? cut : rule, trial.repeats);
    ratios.push_back(rule_first ? a / b : b / a);
  }
  std::nth_element(ratios.begin(), ratios.begin() + static_cast<int64_t>(ratios.size() / 2),
                   ratios.end());
  return ratios[ratios.size() / 2];
}

void write_table(const char* name, const std::set<Product>& products, DType type) {
  constexpr const char* kForms[] = {"kForward", "kInputGradient", "kWeightGradient"};
  constexpr double kEnough = 1.05;
  fmt::print("constexpr MeasuredCut {}[] = {{\n", name);
  for (const Product& p : products) {
    const Trial trial = make_trial(p, type);
    const GemmCut rule = rule_cut(p.m, p.n, p.k, p.form, type), cut = best_cut(p, trial, rule);
    const double once = cut == rule ? 1.0 : gain(trial, cut, rule);
    const double faster = once < kEnough ? once : std::min(once, gain(trial, cut, rule));
    std::fprintf(stderr, "%s %ld x %ld x %ld %s: %d x %d%s, %.2f of the rule's %d x %d\n", name,
                 long(p.m), long(p.n), long(p.k), kForms[static_cast<int>(p.form)], cut.rows,
                 cut.columns, cut.pack ? " packed" : "", faster, rule.rows, rule.columns);
    if (faster < kEnough) continue;
    fmt::print("    {{{}, {}, {}, GemmForm::{}, {}, {}, {}}},\n", p.m, p.n, p.k,
               kForms[static_cast<int>(p.form)], cut.rows, cut.columns, cut.pack);
  }
  fmt::print("}};\n\n");
}

int run(int argc, char** argv) {
  std::set<Product> products;
  for (int i = 1; i < argc; ++i) add_config(products, argv[i]);
  fmt::print(
      "// Written by `make tune` (bench/tune_gemm.cc): oneDNN {}, {}.\n"
      "#include \"backend/cpu/gemm_table.h\"\n\nnamespace keel {{\nnamespace {{\n\n",
      onednn_version(), onednn_isa());
  write_table("kF32", products, DType::kF32);
  if (!cpu_has_bf16()) throw DeviceError("tune_gemm: the bf16 table needs a processor with bf16");
  write_table("kBf16", products, DType::kBf16);
  fmt::print(
      "}}  // namespace\n\nstd::span<const MeasuredCut> measured_cuts(DType type) {{\n"
      "  if (type == DType::kBf16) return kBf16;\n  return kF32;\n}}\n\n}}  // namespace keel\n");
  return 0;
}

}  // namespace
}  // namespace keel

int main(int argc, char** argv) {
  try {
    return keel::run(argc, argv);
  } catch (const keel::Error& e) {
    std::fprintf(stderr, "tune_gemm: %s\n", e.what());
    return e.exit_code();
  }
}
