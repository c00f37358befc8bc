// Config structs shaped like the program's own, for the tests of this folder.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/load.h"
#include "config/registry.h"
#include "core/error.h"

namespace keel::example {

struct NormArgs {
  int64_t dim = 0;
};

struct Norm {
  virtual ~Norm() = default;
  virtual std::string describe() const = 0;
};

struct LayerNorm final : Norm {
  struct Config final : keel::Config {
    double eps = 1e-5;
    bool bias = true;
    void fields(Fields& f) override {
      f("eps", eps, "added to the variance", at_least(0));
      f("bias", bias, "learn an offset");
    }
  };
  LayerNorm(const Config& c, const NormArgs& args) : config(c), dim(args.dim) {}
  std::string describe() const override {
    return "layer " + std::to_string(dim) + (config.bias ? " with bias" : "");
  }
  Config config;
  int64_t dim;
};

struct RmsNorm final : Norm {
  struct Config final : keel::Config {
    double eps = 1e-6;
    void fields(Fields& f) override { f("eps", eps, "added to the mean square", at_least(0)); }
  };
  RmsNorm(const Config& c, const NormArgs& args) : config(c), dim(args.dim) {}
  std::string describe() const override { return "rms " + std::to_string(dim); }
  Config config;
  int64_t dim;
};

inline const Registry<Norm, const NormArgs&>& norms() {
  using R = Registry<Norm, const NormArgs&>;
  static const R r{"norm",
                   {R::entry<LayerNorm>("layer", "mean and variance"),
                    R::entry<RmsNorm>("rms", "root mean square")}};
  return r;
}
using NormChoice = Variant<Norm, const NormArgs&>;

struct Optimizer {
  virtual ~Optimizer() = default;
};
struct AdamW final : Optimizer {
  struct Config final : keel::Config {
    std::vector<double> betas{0.9, 0.95};
    double eps = 1e-8;
    std::string decay = "rate";
    void fields(Fields& f) override {
      f("betas", betas, "decay of the two moments", at_least(0).below(1).of(2));
      f("eps", eps, "added to the root", above(0));
      f("decay", decay, "what scales the decay", one_of({"rate", "independent"}));
    }
    void validate(Errors& e) const override {
      if (betas[0] > betas[1]) e.add("betas", "the first must not be above the second", {});
    }
  };
  explicit AdamW(const Config&) {}
};
struct Sgd final : Optimizer {
  struct Config final : keel::Config {
    double momentum = 0.9;
    void fields(Fields& f) override {
      f("momentum", momentum, "decay of the velocity", at_least(0).below(1));
    }
  };
  explicit Sgd(const Config&) {}
};
inline const Registry<Optimizer>& optimizers() {
  using R = Registry<Optimizer>;
  static const R r{"optimizer",
                   {R::entry<AdamW>("adamw", "Adam with decoupled decay"),
                    R::entry<Sgd>("sgd", "gradient descent")}};
  return r;
}

struct AttentionConfig final : Config {
  NormChoice qk_norm{norms(), "none", None::kAllowed};
  bool bias = false;
  void fields(Fields& f) override {
    f("qk_norm", qk_norm, "norm of queries and keys");
    f("bias", bias, "offsets in the projections");
  }
};

struct ModelConfig final : Config {
  int64_t dim = 128, layers = 4, heads = 4;
  double dropout = 0;
  bool tied = true;
  NormChoice norm{norms(), "rms"};
  AttentionConfig attention;
  void fields(Fields& f) override {
    f("dim", dim, "width of the residual stream", at_least(1));
    f("layers", layers, "number of blocks", at_least(1));
    f("heads", heads, "attention heads", at_least(1));
    f("norm", norm, "normalisation");
    f("attention", attention, "attention");
    f("dropout", dropout, "share of activations dropped", at_least(0).below(1));
    f("tied", tied, "one matrix for embedding and head");
  }
  void validate(Errors& e) const override {
    if (dim % heads != 0) {
      e.add("heads", std::to_string(heads) + " heads do not divide dim " + std::to_string(dim),
            {"dim"});
    }
  }
};

struct OptimConfig final : Config {
  double lr = 1e-3;
  Variant<Optimizer> rule{optimizers(), "adamw"};
  void fields(Fields& f) override {
    f.kind(rule, "update rule");
    f("lr", lr, "peak rate", above(0));
  }
};

struct SourceConfig final : Config {
  std::string path;
  double weight = 1;
  std::string name;
  void fields(Fields& f) override {
    f.path("path", path, "file or folder");
    f("weight", weight, "share among the sources", above(0));
    f("name", name, "in reports");
  }
  void validate(Errors& e) const override {
    if (path.empty()) e.add("path", "must be given", {});
  }
};

struct DataConfig final : Config {
  std::vector<std::string> path;
  std::vector<std::string> tags;
  std::vector<SourceConfig> sources;
  void fields(Fields& f) override {
    f.path("path", path, "files or folders");
    f("tags", tags, "words for the run list");
    f("sources", sources, "weighted sources");
  }
};

struct TrainConfig final : Config {
  int64_t seed = 0;
  std::string init;
  double clip = 1;
  void fields(Fields& f) override {
    f("seed", seed, "of everything random", between(0, 1e9));
    f.path("init", init, "weights to start from");
    f("clip", clip, "largest gradient norm", above(0));
  }
};

struct RunConfig final : Config {
  ModelConfig model;
  OptimConfig optim;
  DataConfig data;
  TrainConfig train;
  void fields(Fields& f) override {
    f("model", model, "the network");
    f("optim", optim, "the optimizer");
    f("data", data, "what to learn");
    f("train", train, "the loop");
  }
};

// What loading throws, or "no error".
inline std::string error_of(const std::string& text, const std::vector<std::string>& sets = {}) {
  RunConfig config;
  try {
    load_config_text("run.toml", text, sets, config);
  } catch (const ConfigError& e) {
    return e.what();
  }
  return "no error";
}

}  // namespace keel::example
