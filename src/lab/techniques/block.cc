#include "lab/techniques/block.h"

#include <fmt/format.h>

#include <algorithm>

#include "config/text.h"
#include "core/error.h"
#include "nn/attention/softmax.h"
#include "nn/placement/parallel.h"
#include "nn/placement/residual_dual.h"
#include "nn/position/sinusoidal.h"

namespace keel {
namespace {

// Which norms the two branches of a placement have, and what it does to the stream.
struct Layout {
  bool in = false, out = false, after = false;
  std::string factor = {};  // on the norm in front
  std::string stream = {};  // on the stream
  std::string second = {};  // another stream
};

Layout layout_of(const PlacementChoice& placement) {
  const std::string& kind = placement.kind();
  if (kind == "pre" || kind == "parallel") return {.in = true};
  if (kind == "post") return {.after = true};
  if (kind == "sandwich") return {.in = true, .out = true};
  if (kind == "reordered") return {.out = true};
  if (kind == "scaled") return {.in = true, .factor = " / sqrt(layer)"};
  if (kind == "deepnorm") return {.after = true, .stream = "x alpha"};
  if (kind == "unnormed") return {};
  if (kind == "residual_dual") {
    const double s = placement.options_as<ResidualDualPlacement::Config>().scale;
    return {.after = true, .second = s == 1 ? "d = d + f" : "d = d + " + plain(s) + " f"};
  }
  throw ConfigError("placement \"" + kind + "\" has no drawing");
}

BlockPart norm_part(const ModelConfig& m, const std::string& factor = "") {
  return {"norm: " + m.norm.kind() + factor, {"model.norm", "model.placement"}};
}

void add_residual(const ModelConfig& m, BlockChain& chain) {
  if (m.residual.is_none()) return;
  const bool vector = m.residual.kind() == "layer_scale";
  chain.push_back({vector ? "x lambda" : "x factor", {"model.residual"}});
}

BlockPart attention_part() { return {"attention", {"model.attention", "model.attention_norm"}}; }
BlockPart ffn_part() { return {"feed-forward", {"model.ffn"}}; }

std::vector<BlockJoin> parallel_joins(const ModelConfig& m) {
  BlockChain attention{attention_part()}, ffn{ffn_part()};
  add_residual(m, attention);
  add_residual(m, ffn);
  BlockJoin join;
  if (m.placement.options_as<ParallelPlacement::Config>().two_norms) {
    if (m.attention_norm) attention.insert(attention.begin(), norm_part(m));
    ffn.insert(ffn.begin(), norm_part(m));
  } else {
    join.shared = {norm_part(m)};
  }
  join.branches = {attention, ffn};
  return {join};
}

std::vector<BlockJoin> joins_of(const ModelConfig& m) {
  const Layout layout = layout_of(m.placement);
  if (m.placement.kind() == "parallel") return parallel_joins(m);
  std::vector<BlockJoin> joins;
  for (const bool first : {true, false}) {
    BlockChain chain;
    if (layout.in && (!first || m.attention_norm)) chain.push_back(norm_part(m, layout.factor));
    chain.push_back(first ? attention_part() : ffn_part());
    if (layout.out) chain.push_back(norm_part(m));
    add_residual(m, chain);
    BlockJoin join;
    join.branches = {chain};
    join.second = layout.second;
    if (!layout.stream.empty()) join.stream = {{layout.stream, {"model.placement"}}};
    if (layout.after) join.after = {norm_part(m)};
    joins.push_back(join);
  }
  return joins;
}

BlockChain input_of(const ModelConfig& m) {
  BlockChain c{{"token table", {"model.tied"}}};
  if (m.position.kind() == "sinusoidal") {
    if (m.position.options_as<SinusoidalPosition::Config>().scale_embedding) {
      c.push_back({"x sqrt(dim)", {"model.position"}});
    }
    c.push_back({"+ waves", {"model.position"}});
  }
  if (m.position.kind() == "learned") c.push_back({"+ position table", {"model.position"}});
  if (!m.embedding_norm.is_none()) {
    c.push_back({"norm: " + m.embedding_norm.kind(), {"model.embedding_norm"}});
  }
  if (m.dropout > 0) c.push_back({"dropout", {"model.dropout"}});
  return c;
}

BlockChain score_parts(const ModelConfig& m, const SoftmaxMixer::Config& a) {
  const std::string n = "model.attention.";
  std::string s = a.scale == "sqrt" ? "q k / sqrt(size)" : a.scale == "mup" ? "q k / size" : "q k";
  if (a.qk_norm.kind() == "l2") {
    s = plain(a.qk_norm.options_as<L2HeadNorm::Config>().scale) + " q k";
  }
  if (a.temperature != 1) s += " x " + plain(a.temperature);
  if (a.learned_scale != "none") s += " x exp(theta)";
  BlockChain c{{s, {n + "scale", n + "temperature", n + "learned_scale", n + "kind"}}};
  const std::string& where = m.position.kind();
  if (where == "transformer_xl") c.push_back({"+ distance term", {"model.position"}});
  if (a.softcap > 0) {
    c.push_back({fmt::format("{0} tanh(s / {0})", plain(a.softcap)), {n + "softcap"}});
  }
  if (where == "t5" || where == "alibi") c.push_back({"+ distance bias", {"model.position"}});
  c.push_back(
      {a.window > 0 ? fmt::format("mask, window {}", a.window) : "causal mask", {n + "window"}});
  c.push_back({a.sink == "none" ? "softmax" : "softmax with sink", {n + "sink", n + "kind"}});
  if (a.clip_zeta != 1 || a.clip_gamma != 0) {
    c.push_back({"stretch, clip to [0, 1]", {n + "clip_zeta", n + "clip_gamma"}});
  }
  c.push_back({"sum of v", {n + "kind"}});
  if (a.gate != "none") c.push_back({"x sigmoid(x W_g)", {n + "gate"}});
  return c;
}

BlockChain attention_of(const ModelConfig& m) {
  const std::string n = "model.attention.";
  const auto* a = dynamic_cast<const SoftmaxMixer::Config*>(&m.attention.options());
  if (!a) return {{m.attention.kind(), {n + "kind"}}};
  const AttentionBias bias = m.attention_bias_in_force();
  std::string project = "q k v = x W";
  if (bias.q || bias.k || bias.v) project += " + b";
  if (m.kv_heads_in_force() != m.heads) {
    project += fmt::format(" ({}: {} heads)", m.heads, m.kv_heads_in_force());
  }
  BlockChain c{{project,
                {"model.heads", "model.kv_heads", "model.head_dim", "model.linear", "model.bias",
                 "model.biases.q", "model.biases.k", "model.biases.v"}}};
  BlockChain norm;
  bool after = false;
  if (!a->qk_norm.is_none()) {
    norm = {{fmt::format("norm {}: {}", a->v_norm ? "q k v" : "q k", a->qk_norm.kind()),
             {n + "qk_norm", n + "v_norm"}}};
    after = dynamic_cast<const QkNormOptions&>(a->qk_norm.options()).after_rope;
  }
  if (!after) c.insert(c.end(), norm.begin(), norm.end());
  if (m.position.kind() == "rope") c.push_back({"rotate q k", {"model.position"}});
  if (after) c.insert(c.end(), norm.begin(), norm.end());
  const BlockChain scores = score_parts(m, *a);
  c.insert(c.end(), scores.begin(), scores.end());
  c.push_back(
      {bias.out ? "x W_o + b" : "x W_o", {"model.linear", "model.bias", "model.biases.out"}});
  return c;
}

BlockChain ffn_of(const ModelConfig& m) {
  const std::string b = m.ffn_bias_in_force() ? " + b" : "";
  const std::vector<std::string> keys{"model.linear", "model.bias", "model.biases.ffn"};
  return {{"x W_in" + b, keys}, {m.ffn.kind(), {"model.ffn"}}, {"x W_out" + b, keys}};
}

BlockChain output_of(const RunConfig& config) {
  const ModelConfig& m = config.model;
  const std::vector<std::string> keys{"model.final_norm", "model.norm", "model.placement"};
  BlockChain c;
  if (m.placement.kind() == "residual_dual") {
    c.push_back({"x + norm(d): " + m.norm.kind(), keys});
  } else if (m.final_norm_in_force()) {
    c.push_back({"norm: " + m.norm.kind(), keys});
  }
  c.push_back({m.tied ? "x token table" : "x W_head", {"model.tied"}});
  if (m.init.kind() == "mup") c.push_back({"x base_dim / dim", {"model.init"}});
  if (m.head.softcap > 0) {
    c.push_back({fmt::format("{0} tanh(z / {0})", plain(m.head.softcap)), {"model.head.softcap"}});
  }
  c.push_back({"loss: " + config.task.kind(), {"task"}});
  return c;
}

BlockChain update_of(const RunConfig& c) {
  BlockChain u{{"start: " + c.model.init.kind(), {"model.init"}}};
  if (c.train.batch_warmup.start > 0) u.push_back({"growing batch", {"train.batch_warmup"}});
  u.push_back({"gradients", {}});
  u.push_back({"clip: " + c.clip.kind.kind(), {"clip"}});
  u.push_back({"rate: " + c.schedule.kind.kind(), {"schedule"}});
  u.push_back({c.optim.kind.kind(), {"optim"}});
  if (c.optim.qk_clip.tau > 0) u.push_back({"QK-clip", {"optim.qk_clip"}});
  if (c.train.ema > 0) u.push_back({"average", {"train.ema"}});
  return u;
}

void mark_chain(BlockChain& chain, const std::vector<std::string>& keys) {
  for (BlockPart& part : chain) {
    for (const std::string& of : part.keys) {
      for (const std::string& key : keys) {
        if (key == of || key.starts_with(of + ".")) part.marked = true;
      }
    }
  }
}

}  // namespace

Diagram block_of(const RunConfig& config) {
  return {joins_of(config.model), input_of(config.model), attention_of(config.model),
          ffn_of(config.model),   output_of(config),      update_of(config)};
}

void mark(Diagram& block, const std::vector<std::string>& keys) {
  for (BlockJoin& join : block.joins) {
    mark_chain(join.shared, keys);
    mark_chain(join.stream, keys);
    mark_chain(join.after, keys);
    for (BlockChain& branch : join.branches) mark_chain(branch, keys);
  }
  for (BlockChain* c : {&block.input, &block.attention, &block.ffn, &block.output, &block.update}) {
    mark_chain(*c, keys);
  }
}

}  // namespace keel
