// What is measured inside a run against plain loops in double, and that measuring changes nothing.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>

#include "harness/check_op.h"
#include "nn/attention/softmax.h"
#include "small_run.h"
#include "small_session.h"
#include "train/metric_names.h"
#include "train/plan.h"
#include "train/recorder.h"

namespace keel::test {
namespace {

using Row = std::vector<double>;
using Rows = std::vector<Row>;  // [time][channel]

struct MeanSquare {
  double sum = 0, count = 0;
  void add(double x) {
    sum += x * x;
    ++count;
  }
  void add(const Rows& rows) {
    for (const Row& row : rows) {
      for (const double x : row) add(x);
    }
  }
  double root() const { return std::sqrt(sum / count); }
};

// The blocks of a decoder without positions as plain loops: what their linears give.
class Reference {
 public:
  struct Layer {
    MeanSquare qkv, proj, fc1, fc2;
    std::vector<MeanSquare> scores;  // by head
  };

  // `factor`: what weights of the blocks' linears are multiplied by. Sequences from `first` on make
  // the micro-batch.
  Reference(const SmallRun& run, double factor, int64_t first = 0)
      : config_(run.config.model), factor_(factor) {
    for (const Parameter& p : run.parameters().list()) {
      const std::vector<float> v = to_host(p.weight);
      values_[p.name].assign(v.begin(), v.end());
    }
    layers.resize(static_cast<size_t>(config_.layers));
    for (Layer& l : layers) l.scores.resize(static_cast<size_t>(config_.heads));
    Batch batch;
    run.data->train_batch(first, run.config.train.batch, batch);
    for (int64_t r = 0; r < batch.rows; ++r) forward(batch, r);
  }
  std::vector<Layer> layers;

 private:
  Rows linear(const Rows& x, const std::string& name) const {
    const Row& w = values_.at(name + ".weight");
    const size_t in = x[0].size(), out = w.size() / in;
    Rows y(x.size(), Row(out));
    for (size_t t = 0; t < x.size(); ++t) {
      for (size_t o = 0; o < out; ++o) {
        for (size_t i = 0; i < in; ++i) y[t][o] += factor_ * w[o * in + i] * x[t][i];
        if (values_.count(name + ".bias")) y[t][o] += values_.at(name + ".bias")[o];
      }
    }
    return y;
  }
  Rows norm(Rows x, const std::string& name) const {
    for (Row& row : x) {
      double square = 1e-5;
      for (const double v : row) square += v * v / static_cast<double>(row.size());
      for (size_t i = 0; i < row.size(); ++i) {
        row[i] *= values_.at(name + ".gain")[i] / std::sqrt(square);
      }
    }
    return x;
  }
  Rows attention(const Rows& x, size_t layer) {
    const std::string n = "blocks." + std::to_string(layer) + ".attention";
    Layer& seen = layers[layer];
    const Rows q = linear(x, n + ".q"), k = linear(x, n + ".k"), v = linear(x, n + ".v");
    for (const Rows* part : {&q, &k, &v}) seen.qkv.add(*part);
    const auto heads = static_cast<size_t>(config_.heads), d = q[0].size() / heads;
    const size_t group = heads / static_cast<size_t>(config_.kv_heads_in_force());
    const auto& options = config_.attention.options_as<SoftmaxMixer::Config>();
    Rows o(x.size(), Row(heads * d));
    for (size_t h = 0; h < heads; ++h) {
      for (size_t t = 0; t < x.size(); ++t) {
        Row weight(t + 1);
        double total = 0;
        for (size_t j = 0; j <= t; ++j) {
          double score = 0;
          for (size_t i = 0; i < d; ++i) score += q[t][h * d + i] * k[j][h / group * d + i];
          score *= options.temperature / std::sqrt(static_cast<double>(d));
          seen.scores[h].add(score);
          if (options.softcap > 0) score = options.softcap * std::tanh(score / options.softcap);
          total += weight[j] = std::exp(score);
        }
        for (size_t j = 0; j <= t; ++j) {
          for (size_t i = 0; i < d; ++i) {
            o[t][h * d + i] += weight[j] / total * v[j][h / group * d + i];
          }
        }
      }
    }
    Rows y = linear(o, n + ".out");
    seen.proj.add(y);
    return y;
  }
  Rows ffn(const Rows& x, size_t layer) {
    const std::string n = "blocks." + std::to_string(layer) + ".ffn";
    Rows hidden = linear(x, n + ".up");
    layers[layer].fc1.add(hidden);
    if (values_.count(n + ".gate.weight")) {
      const Rows gate = linear(x, n + ".gate");
      layers[layer].fc1.add(gate);
      for (size_t t = 0; t < x.size(); ++t) {
        for (size_t i = 0; i < hidden[t].size(); ++i) {
          hidden[t][i] *= gate[t][i] / (1 + std::exp(-gate[t][i]));
        }
      }
    } else {
      for (Row& row : hidden) {
        for (double& v : row) v = std::max(v, 0.0);
      }
    }
    Rows y = linear(hidden, n + ".down");
    layers[layer].fc2.add(y);
    return y;
  }
  void branch(Rows& x, size_t layer, const std::string& which) {
    const std::string kind = config_.placement.kind(), n = "blocks." + std::to_string(layer) + ".";
    const Rows in = kind == "post" ? x : norm(x, n + which + "_norm");
    Rows y = which == "attention" ? attention(in, layer) : ffn(in, layer);
    if (kind == "sandwich") y = norm(y, n + which + "_out_norm");
    for (size_t t = 0; t < x.size(); ++t) {
      for (size_t i = 0; i < x[t].size(); ++i) x[t][i] += y[t][i];
    }
    if (kind == "post") x = norm(x, n + which + "_norm");
  }
  void forward(const Batch& batch, int64_t row) {
    const auto dim = static_cast<size_t>(config_.dim);
    Rows x;
    for (int64_t t = 0; t < batch.length; ++t) {
      const auto token = static_cast<size_t>(batch.inputs[size_t(row * batch.length + t)]);
      const double* from = &values_.at("embedding.weight")[token * dim];
      x.emplace_back(from, from + dim);
    }
    for (size_t layer = 0; layer < layers.size(); ++layer) {
      branch(x, layer, "attention");
      branch(x, layer, "ffn");
    }
  }

  const ModelConfig& config_;
  double factor_;
  std::map<std::string, Row> values_;
};

const std::vector<std::vector<std::string>> kModels = {
    {"model.placement.kind=pre"},
    {"model.placement.kind=post", "model.kv_heads=2", "train.accumulate=3"},
    {"model.placement.kind=sandwich", "model.ffn.kind=relu", "model.bias=true"},
    {"model.linear.kind=sigma_reparam", "model.kv_heads=1"},
    {"model.ffn.kind=relu", "model.attention.temperature=0.5", "model.attention.softcap=2"}};
std::vector<std::string> sets_of(const std::vector<std::string>& model) {
  std::vector<std::string> sets{"model.position.kind=none", "log.probes=1",
                                "model.init.deviation=0.2"};
  sets.insert(sets.end(), model.begin(), model.end());
  return sets;
}

// Moves biases away from 0 and gammas away from sigma; returns what the weights are then multiplied
// by in every linear of the blocks.
double move_vectors(const SmallRun& run) {
  double factor = 1;
  for (const Parameter& p : run.parameters().list()) {
    float* v = p.weight.data<float>();
    const bool gamma = p.name.ends_with(".gamma"), bias = p.name.ends_with(".bias");
    if (gamma) factor = 1.5;
    for (int64_t i = 0; i < p.weight.size(); ++i) {
      if (gamma) v[i] *= 1.5f;
      if (bias) v[i] = 0.1f * static_cast<float>(i % 7);
    }
  }
  return factor;
}

class Measured : public InDType {
 protected:
  double tolerance() const { return GetParam() == DType::kBf16 ? 2e-2 : 1e-4; }
};
INSTANTIATE_TEST_SUITE_P(Train, Measured, kDTypes, dtype_suffix);

// Those of the last micro-batch of a step.
TEST_P(Measured, OutputsOfTheLinears) {
  for (const std::vector<std::string>& model : kModels) {
    SCOPED_TRACE(testing::PrintToString(model));
    SmallRun run(kMarkovRun, sets_of(model), GetParam());
    const TrainConfig& t = run.config.train;
    const Reference want(run, move_vectors(run), (t.accumulate - 1) * t.batch);
    run->step();
    ASSERT_TRUE(run->probed());
    const auto expect = [&](double got, const MeanSquare& from) {
      EXPECT_NEAR(got, from.root(), tolerance() * from.root());
    };
    for (size_t i = 0; i < want.layers.size(); ++i) {
      const OutputProbe& got = run->probes().outputs[i];
      expect(got.qkv, want.layers[i].qkv);
      expect(got.proj, want.layers[i].proj);
      expect(got.fc1, want.layers[i].fc1);
      expect(got.fc2, want.layers[i].fc2);
    }
  }
}

TEST_P(Measured, ScoresAndBranchesBeforeTheFirstStep) {
  for (const std::vector<std::string>& model : kModels) {
    SCOPED_TRACE(testing::PrintToString(model));
    SmallRun run(kMarkovRun, sets_of(model), GetParam());
    const Reference want(run, move_vectors(run));
    double logit = 0, attention = 0, ffn = 0;
    for (const Reference::Layer& l : want.layers) {
      const double layers = static_cast<double>(want.layers.size());
      MeanSquare all;
      for (const MeanSquare& head : l.scores) {
        all.sum += head.sum;
        all.count += head.count;
      }
      logit += all.root() / layers;
      attention += l.proj.root() / layers;
      ffn += l.fc2.root() / layers;
    }
    const StartMeasures got = run->measure_start();
    EXPECT_NEAR(got.logit_rms, logit, tolerance() * logit);
    EXPECT_NEAR(got.attention_rms, attention, tolerance() * attention);
    EXPECT_NEAR(got.ffn_rms, ffn, tolerance() * ffn);
  }
}

struct Squares {
  double change = 0, weight = 0;
  double ratio() const { return std::sqrt(change / weight); }
};

TEST_P(Measured, HowFarWeightsMove) {
  for (const std::vector<std::string>& sets :
       std::vector<std::vector<std::string>>{{"optim.kind=adamw", "optim.weight_decay=0.3"},
                                             {"optim.kind=muon", "model.bias=true"},
                                             {"optim.kind=sgd", "model.linear.kind=sigma_reparam"},
                                             {"optim.qk_clip.tau=0.01", "train.accumulate=2"}}) {
    SCOPED_TRACE(testing::PrintToString(sets));
    std::vector<std::string> all{"log.probes=2"};
    all.insert(all.end(), sets.begin(), sets.end());
    SmallRun run(kMarkovRun, all, GetParam());
    run->step();
    std::map<std::string, std::vector<float>> before;
    for (const Parameter& p : run.parameters().list()) before[p.name] = to_host(p.weight);
    run->step();
    ASSERT_TRUE(run->probed());
    Squares layers[2], whole;
    for (const Parameter& p : run.parameters().list()) {
      if (!p.name.starts_with("blocks.") || p.shape.axes() < 2) continue;
      Squares& layer = layers[p.name[7] - '0'];
      const std::vector<float>&was = before.at(p.name), is = to_host(p.weight);
      for (size_t i = 0; i < was.size(); ++i) {
        const double w = static_cast<double>(was[i]), d = static_cast<double>(is[i]) - w;
        for (Squares* s : {&layer, &whole}) s->change += d * d, s->weight += w * w;
      }
    }
    ASSERT_GT(whole.change, 0);
    const Probes& got = run->probes();
    for (size_t i = 0; i < 2; ++i) {
      EXPECT_NEAR(got.update_ratio[i], layers[i].ratio(), 1e-9 * layers[i].ratio());
    }
    EXPECT_NEAR(got.update_ratio_of_all, whole.ratio(), 1e-9 * whole.ratio());
  }
}

TEST(MeasuredRun, AStepThatIsLeftOutMovesNothing) {
  SmallRun run(kMarkovRun, {"log.probes=1"});
  run.parameters().flat_weights().data<float>()[0] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_FALSE(run->step().finite);
  EXPECT_EQ(run->probes().update_ratio_of_all, 0);
  EXPECT_EQ(run->probes().update_ratio, (std::vector<double>{0, 0}));
}

// 20 steps, bit for bit, whatever is measured and on however many threads.
TEST_P(Measured, NoNumberOfARunChanges) {
  for (const std::vector<std::string>& sets : std::vector<std::vector<std::string>>{
           {"model.dropout=0.1", "train.accumulate=2", "train.ema=0.9"},
           {"model.linear.kind=sigma_reparam", "optim.kind=muon"},
           {"model.placement.kind=post", "model.norm={kind='batch', allow_leak=true}",
            "optim.qk_clip.tau=0.5", "model.ffn.kind=gelu", "model.kv_heads=2"}}) {
    SCOPED_TRACE(testing::PrintToString(sets));
    std::vector<double> losses;
    std::vector<float> weights;
    for (const int threads : {1, 2}) {
      const Threads in_force(threads);
      for (const int64_t probes : {0, 1, 3}) {
        std::vector<std::string> all{"log.probes=" + std::to_string(probes)};
        all.insert(all.end(), sets.begin(), sets.end());
        SmallRun run(kMarkovRun, all, GetParam());
        if (probes > 0) run->measure_start();
        std::vector<double> got;
        for (int i = 0; i < 20; ++i) got.push_back(run->step().loss);
        if (losses.empty()) {
          losses = got;
          weights = to_host(run.parameters().flat_weights());
        }
        EXPECT_EQ(got, losses) << probes << ", " << threads << " threads";
        EXPECT_TRUE(to_host(run.parameters().flat_weights()) == weights)
            << probes << ", " << threads << " threads";
      }
    }
  }
}

TEST_P(Measured, BitsDoNotDependOnThreads) {
  const auto measured = [&](int threads) {
    const Threads in_force(threads);
    SmallRun run(kMarkovRun, {"log.probes=1", "model.dim=128", "train.batch=16"}, GetParam());
    const StartMeasures start = run->measure_start();
    run->step();
    const Probes& p = run->probes();
    std::vector<double> all{start.logit_rms, start.attention_rms, start.ffn_rms,
                            p.update_ratio_of_all};
    for (const OutputProbe& o : p.outputs) all.insert(all.end(), {o.qkv, o.proj, o.fc1, o.fc2});
    all.insert(all.end(), p.update_ratio.begin(), p.update_ratio.end());
    return all;
  };
  const std::vector<double> one = measured(1);
  EXPECT_EQ(measured(2), one);
  EXPECT_EQ(measured(5), one);
}

// Where the weights are more than what a step keeps, their copy is what decides.
TEST_P(Measured, TheCopyOfTheWeightsIsPlanned) {
  SmallRun run(
      kMarkovRun,
      {"log.probes=1", "train.batch=1", "model.context=2", "model.dim=128", "data.symbols=8"},
      GetParam());
  const Plan plan = make_plan(run.config, GetParam());
  int64_t matrices = 0;
  for (const Parameter& p : run.parameters().list()) {
    if (p.name.starts_with("blocks.") && p.shape.axes() > 1) matrices += p.weight.size();
  }
  EXPECT_EQ(plan.bytes.activations, 4 * matrices);
  run->measure_start();
  for (int i = 0; i < 2; ++i) run->step();
  EXPECT_EQ(run->memory().activations, plan.bytes.activations);
  SmallRun off(
      kMarkovRun,
      {"log.probes=0", "train.batch=1", "model.context=2", "model.dim=128", "data.symbols=8"},
      GetParam());
  EXPECT_LT(make_plan(off.config, GetParam()).bytes.activations, plan.bytes.activations);
}

std::map<std::string, std::vector<MetricPoint>> metrics_of(
    const Folder& folder, const std::string& probes, std::map<std::string, std::string>* meta) {
  Session s = create_session(real_fs(), folder / "run.toml",
                             {"log.probes=" + probes, "train.steps=4", "schedule.warmup=1"},
                             folder / ("run" + probes));
  StopRequests requests;
  {
    Recorder recorder(*s.dir, real_fs(), *s.trainer, 0, [](const std::string&) {});
    RunLoop(s, real_fs(), {&recorder}, requests).run();
  }
  const RunMetrics read(s.dir->path());
  *meta = read.meta();
  std::map<std::string, std::vector<MetricPoint>> out;
  for (const std::string& name : read.metric_names()) out[name] = read.metric(name);
  return out;
}

TEST(MeasuredRun, IsWrittenDown) {
  const Folder folder;
  std::map<std::string, std::string> meta;
  auto metrics = metrics_of(folder, "2", &meta);
  for (const char* name : {"out_norm_qkv/layer00", "out_norm_proj/layer00", "out_norm_fc1/layer00",
                           "out_norm_fc2/layer00", "update_ratio/layer00", "update_ratio/all"}) {
    ASSERT_EQ(metrics[name].size(), 2u) << name;
    EXPECT_EQ(metrics[name][0].step, 2) << name;
    EXPECT_EQ(metrics[name][1].step, 4) << name;
    EXPECT_GT(metrics[name][0].value, 0) << name;
  }
  for (const std::string_view key :
       {metric_name::kInitLogitRms, metric_name::kInitAttentionRms, metric_name::kInitFfnRms}) {
    ASSERT_TRUE(meta.count(std::string(key))) << key;
    EXPECT_GT(std::stod(meta.at(std::string(key))), 0) << key;
  }
  metrics = metrics_of(folder, "0", &meta);
  EXPECT_FALSE(metrics.count("out_norm_qkv/layer00"));
  EXPECT_FALSE(metrics.count("update_ratio/all"));
  EXPECT_FALSE(meta.count(std::string(metric_name::kInitLogitRms)));
}

}  // namespace
}  // namespace keel::test
