// Update rules against the same formulas in double, written plainly; and what must hold of them
// whatever the numbers are.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "config/load.h"
#include "harness/check_op.h"
#include "ops/newton_schulz.h"
#include "optim/optimizer.h"

namespace keel::test {
namespace {

using Values = std::vector<double>;

// Parameters of several shapes, one with multipliers of its own.
struct Some {
  Params params;

  Some() {
    add("tall", {37, 19}, 1, 1);
    add("wide", {5, 83}, 2, 0.5);
    add("vector", {41}, 0, 1);
    add("large", {197, 170}, 1, 1);
  }
  void add(const char* name, const Shape& shape, double decay, double rate) {
    const auto seed = static_cast<uint64_t>(params.size() + 1);
    params.push_back({name,
                      normal_tensor(shape, seed, 0.5),
                      normal_tensor(shape, 9),
                      {},
                      decay,
                      rate,
                      shape.axes() > 1 ? Group::kMatrix : Group::kVector});
  }
  static constexpr size_t kDraws = 50021;
  std::vector<float> draws = normal_values(kDraws, 9);

  // Of a size that changes by step and by tensor, as gradients do.
  void gradients(int step) {
    for (size_t k = 0; k < params.size(); ++k) {
      const auto n = static_cast<size_t>(params[k].grad.size());
      const double size = (step % 7 == 6 ? 20 : 1) * std::pow(0.2, double(k));
      float* to = params[k].grad.data<float>();
      for (size_t i = 0; i < n; ++i)
        to[i] = float(size) * draws[(i + size_t(step) * 7919) % kDraws];
    }
  }
};

struct Step {
  double t, rate, factor;
  size_t tensor;
  int64_t rows, columns;
  double decay;     // multiplier
  const Values& g;  // clipped
  bool matrix;
};
// Changes w and what it keeps.
using Rule = std::function<void(const Step&, Values& w)>;

std::unique_ptr<Optimizer> make(const std::string& toml, const Params& params) {
  OptimConfig config;
  load_config_text("test.toml", toml, {}, config);
  return optimizers().make(config.kind, params);
}

// Twenty steps; each element within `error` of the largest.
void follow(const std::string& toml, double peak, const Rule& rule, double error = 1e-5) {
  SCOPED_TRACE(toml);
  Some some;
  const auto optimizer = make(toml, some.params);
  std::vector<Values> w;
  for (const Param& p : some.params) {
    const auto x = to_host(p.weight);
    w.emplace_back(x.begin(), x.end());
  }
  for (int i = 0; i < 20; ++i) {
    some.gradients(i);
    StepState s;
    s.factor = float(1 - i / 40.0);
    s.rate = float(peak) * s.factor;
    s.clip_coefficient = i % 3 == 0 ? 0.25f : 1.0f;
    optimizer->step(&s);
    for (size_t k = 0; k < w.size(); ++k) {
      const Param& p = some.params[k];
      const auto grad = to_host(p.grad);
      Values g(grad.begin(), grad.end());
      for (double& x : g) x *= double(s.clip_coefficient);
      const bool matrix = p.weight.shape().axes() > 1;
      rule({double(i + 1), double(s.rate) * p.rate, double(s.factor), k,
            matrix ? p.weight.dim(0) : 1, p.weight.dim(-1), p.decay, g, matrix},
           w[k]);
      const auto is = to_host(p.weight);
      double largest = 0, off = 0;
      for (size_t j = 0; j < is.size(); ++j) {
        largest = std::max(largest, std::abs(w[k][j]));
        off = std::max(off, std::abs(double(is[j]) - w[k][j]));
      }
      ASSERT_LT(off, error * largest) << p.name << " after step " << i + 1;
    }
  }
}

double rms(const Values& x) {
  double sum = 0;
  for (double v : x) sum += v * v;
  return std::sqrt(sum / double(x.size()));
}

// Kept values of each tensor, 0 at first.
struct Memory {
  std::map<size_t, Values> of;
  Values& at(size_t tensor, size_t n) {
    Values& v = of[tensor];
    v.resize(n);
    return v;
  }
};

void decay(const Step& s, Values& w, double by) {
  for (double& x : w) x *= 1 - by * s.decay;
}

TEST(SgdOptimizer, FollowsItsFormula) {
  for (const bool nesterov : {false, true}) {
    for (const char* kind : {"coupled", "rate", "independent"}) {
      for (const double momentum : {0.0, 0.8}) {
        if (nesterov && momentum == 0) continue;
        for (const double clip : {0.0, 0.3}) {
          if (clip > 0 && std::string(kind) == "independent") continue;
          Memory b;
          const std::string how = kind;
          follow("kind = 'sgd'\nweight_decay = 0.03\nnesterov = " +
                     std::string(nesterov ? "true" : "false") +
                     "\nmomentum = " + std::to_string(momentum) +
                     "\nupdate_clip = " + std::to_string(clip) + "\ndecay = '" + how + "'",
                 0.05, [&](const Step& s, Values& w) {
                   Values &m = b.at(s.tensor, w.size()), u(w.size());
                   for (size_t i = 0; i < w.size(); ++i) {
                     const double g = s.g[i] + (how == "coupled" ? 0.03 * s.decay * w[i] : 0);
                     m[i] = momentum * m[i] + g;
                     u[i] = nesterov ? g + momentum * m[i] : m[i];
                   }
                   const double scale = clip > 0 ? 1 / std::max(1.0, rms(u) / clip) : 1;
                   if (how != "coupled") decay(s, w, 0.03 * (how == "rate" ? s.rate : s.factor));
                   for (size_t i = 0; i < w.size(); ++i) w[i] -= s.rate * scale * u[i];
                 });
        }
      }
    }
  }
}

TEST(AdamWOptimizer, FollowsItsFormulaWithUpdateClipping) {
  for (const double clip : {0.0, 0.5}) {
    Memory a, b;
    follow("weight_decay = 0.1\nupdate_clip = " + std::to_string(clip), 0.01,
           [&](const Step& s, Values& w) {
             Values &m = a.at(s.tensor, w.size()), &v = b.at(s.tensor, w.size()), u(w.size());
             for (size_t i = 0; i < w.size(); ++i) {
               m[i] = 0.9 * m[i] + 0.1 * s.g[i];
               v[i] = 0.95 * v[i] + 0.05 * s.g[i] * s.g[i];
               u[i] = m[i] / (1 - std::pow(0.9, s.t)) /
                      (std::sqrt(v[i] / (1 - std::pow(0.95, s.t))) + 1e-8);
             }
             const double scale = clip > 0 ? 1 / std::max(1.0, rms(u) / clip) : 1;
             decay(s, w, 0.1 * s.rate);
             for (size_t i = 0; i < w.size(); ++i) w[i] -= s.rate * scale * u[i];
           });
  }
}

// Algorithm 2 of arXiv 2304.13013, with its debiased betas.
TEST(StableAdamWOptimizer, FollowsItsAlgorithm) {
  for (const char* kind : {"rate", "independent"}) {
    Memory a, b;
    const std::string how = kind;
    int clipped = 0;
    follow("kind = 'stable_adamw'\nweight_decay = 0.1\ndecay = '" + how + "'", 0.01,
           [&](const Step& s, Values& w) {
             const auto debiased = [&](double beta) {
               return beta * (1 - std::pow(beta, s.t - 1)) / (1 - std::pow(beta, s.t));
             };
             const double b1 = debiased(0.9), b2 = debiased(0.99);
             Values &m = a.at(s.tensor, w.size()), &v = b.at(s.tensor, w.size());
             double sum = 0;
             for (size_t i = 0; i < w.size(); ++i) {
               m[i] = b1 * m[i] + (1 - b1) * s.g[i];
               v[i] = b2 * v[i] + (1 - b2) * s.g[i] * s.g[i];
               sum += s.g[i] * s.g[i] / std::max(v[i], 1e-12);
             }
             const double size = std::sqrt(sum / double(w.size()));
             clipped += size > 1;
             const double rate = s.rate / std::max(1.0, size);
             EXPECT_LE(rate, s.rate);
             decay(s, w, 0.1 * (how == "rate" ? rate : s.factor));
             for (size_t i = 0; i < w.size(); ++i) w[i] -= rate * m[i] / (std::sqrt(v[i]) + 1e-6);
           });
    EXPECT_GT(clipped, 5);
    EXPECT_LT(clipped, 75);
  }
}

TEST(LionOptimizer, FollowsItsFormula) {
  Memory a;
  follow("kind = 'lion'\nweight_decay = 0.5", 1e-3, [&](const Step& s, Values& w) {
    Values& m = a.at(s.tensor, w.size());
    decay(s, w, 0.5 * s.rate);
    for (size_t i = 0; i < w.size(); ++i) {
      const double c = 0.9 * m[i] + 0.1 * s.g[i];
      m[i] = 0.99 * m[i] + 0.01 * s.g[i];
      w[i] -= s.rate * (c > 0 ? 1 : c < 0 ? -1 : 0);
    }
  });
}

TEST(LionOptimizer, EveryElementMovesByTheRate) {
  Params params = {{"w", normal_tensor({1000}, 1), normal_tensor({1000}, 2, 1e-6), {}}};
  params[0].grad.data<float>()[3] = 0;
  const auto optimizer = make("kind = 'lion'\nweight_decay = 0", params);
  const auto before = to_host(params[0].weight);
  StepState s;
  s.rate = 0x1p-6f;
  optimizer->step(&s);
  const auto after = to_host(params[0].weight), g = to_host(params[0].grad);
  for (size_t i = 0; i < after.size(); ++i) {
    EXPECT_EQ(after[i], before[i] - (g[i] > 0 ? 0x1p-6f : g[i] < 0 ? -0x1p-6f : 0));
  }
}

void adafactor_rule(const Step& s, Values& w, Memory& first, Memory& second, double beta1,
                    bool scaled, bool relative, double clip) {
  const auto rows = size_t(s.rows), columns = size_t(s.columns);
  const double b2 = 1 - std::pow(s.t, -0.8);
  Values v_hat(w.size());
  if (s.matrix) {
    Values& rc = second.at(s.tensor, rows + columns);
    Values row(rows), column(columns);
    for (size_t i = 0; i < w.size(); ++i) {
      row[i / columns] += (s.g[i] * s.g[i] + 1e-30) / double(columns);
      column[i % columns] += (s.g[i] * s.g[i] + 1e-30) / double(rows);
    }
    double mean = 0;
    for (size_t r = 0; r < rows; ++r) {
      rc[r] = b2 * rc[r] + (1 - b2) * row[r];
      mean += rc[r] / double(rows);
    }
    for (size_t c = 0; c < columns; ++c) rc[rows + c] = b2 * rc[rows + c] + (1 - b2) * column[c];
    for (size_t i = 0; i < w.size(); ++i)
      v_hat[i] = rc[i / columns] * rc[rows + i % columns] / mean;
  } else {
    Values& v = second.at(s.tensor, w.size());
    for (size_t i = 0; i < w.size(); ++i) {
      v_hat[i] = v[i] = b2 * v[i] + (1 - b2) * (s.g[i] * s.g[i] + 1e-30);
    }
  }
  Values u(w.size());
  for (size_t i = 0; i < w.size(); ++i) u[i] = s.g[i] / std::sqrt(v_hat[i]);
  const double scale = clip > 0 ? 1 / std::max(1.0, rms(u) / clip) : 1;
  Values& m = first.at(s.tensor, w.size());
  double rate = relative ? std::min(s.rate, 1 / std::sqrt(s.t)) : s.rate;
  if (scaled) rate *= std::max(1e-3, rms(w));
  decay(s, w, 0.1 * s.rate);
  for (size_t i = 0; i < w.size(); ++i) {
    m[i] = beta1 * m[i] + (1 - beta1) * scale * u[i];
    w[i] -= rate * m[i];
  }
}

TEST(AdafactorOptimizer, FollowsItsAlgorithm) {
  struct Case {
    double beta1, clip;
    bool scaled;
  };
  for (const Case& c : {Case{0, 1, false}, {0.9, 1, true}, {0, 0, true}}) {
    Memory first, second;
    follow("kind = 'adafactor'\nweight_decay = 0.1\nbeta1 = " + std::to_string(c.beta1) +
               "\nupdate_clip = " + std::to_string(c.clip) +
               "\nscale_parameter = " + (c.scaled ? "true" : "false"),
           0.02, [&](const Step& s, Values& w) {
             adafactor_rule(s, w, first, second, c.beta1, c.scaled, false, c.clip);
           });
  }
}

TEST(AdafactorOptimizer, RelativeStep) {
  Params params = {{"w", normal_tensor({1}, 1), normal_tensor({1}, 2), {}}};
  const auto optimizer = make("kind = 'adafactor'\nrelative_step = true", params);
  for (int t = 1; t < 9; ++t) {
    const double before = double(to_host(params[0].weight)[0]);
    StepState s;
    s.rate = 0.5f;
    optimizer->step(&s);
    // A constant gradient: u is 1.
    EXPECT_NEAR(std::abs(double(to_host(params[0].weight)[0]) - before),
                std::min(0.5, 1 / std::sqrt(double(t))), 1e-6);
  }
}

// For squares of rank one the factored moment is the full one, so a first update is a sign.
TEST(AdafactorOptimizer, RankOneSquaresAreExact) {
  Params params = {{"w",
                    persistent({13, 29}, DType::kF32, DeviceKind::kCpu, "w"),
                    normal_tensor({13, 29}, 1),
                    {}}};
  const auto r = normal_values(13, 5), c = normal_values(29, 6);
  for (size_t i = 0; i < 13 * 29; ++i) params[0].grad.data<float>()[i] = r[i / 29] * c[i % 29];
  const auto optimizer = make("kind = 'adafactor'\nupdate_clip = 0", params);
  StepState s;
  s.rate = 1;
  optimizer->step(&s);
  for (const float w : to_host(params[0].weight)) EXPECT_NEAR(std::abs(w), 1, 1e-5);
}

TEST(AdafactorOptimizer, StateIsSmall) {
  Some some;
  int64_t elements = 0;
  for (const StateTensor& t : make("kind = 'adafactor'", some.params)->state()) {
    elements += t.tensor.size();
  }
  EXPECT_EQ(elements, 37 + 19 + 5 + 83 + 41 + 197 + 170 + 1);
}

Values product(const Values& a, const Values& b, size_t m, size_t k, size_t n) {
  Values c(m * n);
  for (size_t i = 0; i < m; ++i) {
    for (size_t l = 0; l < k; ++l) {
      for (size_t j = 0; j < n; ++j) c[i * n + j] += a[i * k + l] * b[l * n + j];
    }
  }
  return c;
}
Values transposed(const Values& a, size_t m, size_t n) {
  Values t(a.size());
  for (size_t i = 0; i < m; ++i) {
    for (size_t j = 0; j < n; ++j) t[j * m + i] = a[i * n + j];
  }
  return t;
}

Values orthogonalised(Values x, size_t m, size_t n) {
  double norm = 0;
  for (double v : x) norm += v * v;
  for (double& v : x) v /= std::sqrt(norm) + 1e-7;
  for (int i = 0; i < 5; ++i) {
    const Values gram = product(x, transposed(x, m, n), m, n, m),
                 square = product(gram, gram, m, m, m);
    Values p(m * m);
    for (size_t k = 0; k < p.size(); ++k) p[k] = -4.7750 * gram[k] + 2.0315 * square[k];
    for (size_t k = 0; k < m; ++k) p[k * m + k] += 3.4445;
    x = product(p, x, m, m, n);
  }
  return x;
}

TEST(MuonOptimizer, FollowsItsFormula) {
  for (const bool match : {false, true}) {
    Memory a, b, c;
    follow(
        "kind = 'muon'\nweight_decay = 0.1\nadamw.lr = 0.002\nadamw.weight_decay = 0.2\nscale = '" +
            std::string(match ? "match_rms" : "original") + "'",
        0.02,
        [&](const Step& s, Values& w) {
          if (!s.matrix) {
            Values &m = b.at(s.tensor, w.size()), &v = c.at(s.tensor, w.size());
            for (size_t i = 0; i < w.size(); ++i) {
              m[i] = 0.9 * m[i] + 0.1 * s.g[i];
              v[i] = 0.95 * v[i] + 0.05 * s.g[i] * s.g[i];
              w[i] -= 0.1 * s.rate * m[i] / (1 - std::pow(0.9, s.t)) /
                      (std::sqrt(v[i] / (1 - std::pow(0.95, s.t))) + 1e-8);
            }
            return;
          }
          Values &m = a.at(s.tensor, w.size()), u(w.size());
          for (size_t i = 0; i < w.size(); ++i) {
            m[i] = 0.95 * m[i] + 0.05 * s.g[i];
            u[i] = 0.95 * m[i] + 0.05 * s.g[i];
          }
          const auto rows = size_t(s.rows), columns = size_t(s.columns);
          const double high = double(std::max(rows, columns));
          const double scale = match ? 0.2 * std::sqrt(high)
                                     : std::sqrt(std::max(1.0, double(rows) / double(columns)));
          u = rows > columns
                  ? transposed(orthogonalised(transposed(u, rows, columns), columns, rows), columns,
                               rows)
                  : orthogonalised(u, rows, columns);
          decay(s, w, 0.1 * s.rate);
          for (size_t i = 0; i < w.size(); ++i) w[i] -= s.rate * scale * u[i];
        },
        1e-4);
  }
}

// Diagonal matrices show what happens to singular values: into [0.68, 1.135] from [0.02, 1].
TEST(MuonOptimizer, SingularValuesLandInTheBand) {
  const int64_t k = 99;
  for (const Shape& shape : {Shape{k, k}, Shape{k, 130}, Shape{130, k}}) {
    const auto zeros = [](const Shape& s) {
      return persistent(s, DType::kF32, DeviceKind::kCpu, "x");
    };
    const NewtonSchulz n{zeros(shape), zeros(shape), zeros({k, k}), zeros({k, k})};
    for (int64_t i = 0; i < k; ++i) {
      n.x.data<float>()[i * shape[1] + i] = float(0.02 + 0.98 * double(i) / double(k - 1));
    }
    const auto y = to_host(newton_schulz(n));
    for (int64_t i = 0; i < shape[0]; ++i) {
      for (int64_t j = 0; j < shape[1]; ++j) {
        const float v = y[size_t(i * shape[1] + j)];
        if (i != j || i >= k) {
          EXPECT_EQ(v, 0);
        } else {
          EXPECT_GE(v, 0.68f) << i;
          EXPECT_LE(v, 1.135f) << i;
        }
      }
    }
  }
}

TEST(MuonOptimizer, LeavesEmbeddingsAndHeadToAdamW) {
  Some some;
  some.params[0].group = Group::kEmbedding;
  some.params[1].group = Group::kHead;
  std::string names;
  for (const StateTensor& t : make("kind = 'muon'", some.params)->state()) names += t.name + " ";
  EXPECT_EQ(names, "m/large m/tall v/tall m/wide v/wide m/vector v/vector updates ");
}

// The root mean square of an update never exceeds the bound, and smaller ones are left alone.
TEST(UpdateClipping, HoldsTheBound) {
  for (const double size : {0.01, 0.2, 5.0}) {
    Params params = {{"w",
                      persistent({70, 31}, DType::kF32, DeviceKind::kCpu, "w"),
                      normal_tensor({70, 31}, 1, size),
                      {}}};
    const auto optimizer = make("kind = 'sgd'\nupdate_clip = 0.25", params);
    StepState s;
    s.rate = 1;
    optimizer->step(&s);
    const auto w = to_host(params[0].weight), g = to_host(params[0].grad);
    const double is = rms(Values(w.begin(), w.end())), was = rms(Values(g.begin(), g.end()));
    EXPECT_NEAR(is, std::min(was, 0.25), 1e-6);
  }
}

}  // namespace
}  // namespace keel::test
