// Whole decoders with every technique of a model, alone and with some that meet it, against plain
// loops over complex numbers: loss and all gradients.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "reference_decoder.h"
#include "variants.h"

namespace keel::test {
namespace {

using Sets = std::vector<std::string>;

Sets operator+(Sets a, const Sets& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// Two query heads for each key head, so that a head's size, width and number are apart.
const Sets kGrouped{"heads=4", "kv_heads=2", "head_dim=6"};
const std::string kRope = "position.kind=rope";

TEST(Blocks, EveryNorm) {
  for (const std::string& kind : norms().names()) {
    check_decoder({set("norm", kind)});
    check_decoder({set("norm", kind), "placement.kind=post"});
    check_decoder({set("norm", kind), "placement.kind=deepnorm", "bias=true"});
    check_decoder({set("norm", kind), "placement.kind=sandwich"});
  }
}

TEST(Blocks, EveryNormOption) {
  for (const char* norm : {"rms", "layer"}) {
    const std::string kind = std::string("norm.kind=") + norm;
    for (const char* option : {"norm.bias=true", "norm.bias=false", "norm.eps_inside=false",
                               "norm.zero_centred=true", "norm.gain=false"}) {
      check_decoder({kind, option, "norm.eps=0.01"});
      check_decoder({kind, option, "norm.eps=0.01", "placement.kind=scaled"});
    }
  }
  check_decoder({"norm.kind=l2", "norm.scale_sqrt_dim=false", "norm.bias=true"});
  check_decoder({"norm.kind=l2", "norm.scale_sqrt_dim=false", "norm.gain=false"});
  check_decoder({"norm.kind=dyt", "norm.zero_centred=true", "norm.alpha=0.8"});
}

TEST(Blocks, EveryPlacement) {
  for (const std::string& kind : placements().names()) {
    const std::string placement = "placement.kind=" + kind;
    check_decoder({placement});
    check_decoder({placement, "norm.kind=layer", "bias=true", "tied=false"});
    check_decoder({placement, "embedding_norm.kind=rms"});
    for (const std::string& residual : residuals().names()) {
      check_decoder({placement, "residual.kind=" + residual});
    }
  }
}

TEST(Blocks, EveryPlacementOption) {
  for (const char* kind : {"pre", "scaled", "sandwich"}) {
    check_decoder({std::string("placement.kind=") + kind, "attention_norm=false"});
  }
  check_decoder({"placement={kind=\"parallel\", two_norms=true}", "attention_norm=false"});
  check_decoder({"placement.kind=parallel", "placement.two_norms=true"});
  check_decoder({"placement.kind=residual_dual", "placement.scale=0.25"});
  check_decoder({"placement.kind=pre", "final_norm=off"});
  check_decoder({"placement.kind=unnormed", "final_norm=on", "residual.kind=rezero"});
}

TEST(Blocks, EverySiteOfABias) {
  for (const char* site : {"q", "k", "v", "out", "ffn"}) {
    check_decoder({std::string("biases.") + site + "=on"});
    check_decoder({"bias=true", std::string("biases.") + site + "=off"});
  }
}

TEST(Blocks, EveryGroupingOfHeads) {
  for (const char* kv_heads : {"kv_heads=1", "kv_heads=2", "kv_heads=4"}) {
    check_decoder({"heads=4", kv_heads});
    check_decoder({"heads=4", kv_heads, "head_dim=6", kRope, "bias=true"});
  }
}

TEST(Blocks, EveryQkNorm) {
  for (const std::string& kind : qk_norms().names()) {
    for (const char* axis : {"head", "width"}) {
      for (const char* gain : {"shared", "head", "none"}) {
        const std::string form = std::string("axis='") + axis + "', gain='" + gain + "'" +
                                 (kind == "prms" ? ", share=0.5" : "");
        const std::string norm = "attention.qk_norm={kind='" + kind + "', " + form;
        check_decoder(kGrouped + Sets{norm + "}"});
        check_decoder(kGrouped + Sets{norm + "}", kRope, "attention.v_norm=true"});
        check_decoder(kGrouped + Sets{norm + ", after_rope=true}", kRope, "attention.v_norm=true"});
      }
    }
  }
}

TEST(Blocks, EveryQkNormOption) {
  for (const char* norm :
       {"{kind='rms', eps=0.5}", "{kind='layer', eps=0.5}", "{kind='layer', bias=false}",
        "{kind='prms', eps=0.5, share=0.3}", "{kind='dyt', alpha=2}", "{kind='dyt', bias=false}",
        "{kind='l2', eps=2}",  // above the length of some heads
        "{kind='l2', scale=3, learned=false}"}) {
    check_decoder(kGrouped + Sets{std::string("attention.qk_norm=") + norm});
    check_decoder(kGrouped + Sets{std::string("attention.qk_norm=") + norm, kRope, "bias=true"});
  }
  const std::string fixed = "attention.qk_norm={kind='l2', scale=3, learned=false}";
  check_decoder({fixed, "attention.learned_scale=layer"});
  for (const char* kind : {"rms", "layer", "prms"}) {
    const std::string norm = "attention." + set("qk_norm", kind);
    check_decoder({norm, "attention.v_norm=true", "attention_norm=false", kRope});  // QKV-norm
    check_decoder({norm, "placement.kind=sandwich", kRope});                        // QK-FC-norm
    check_decoder({norm, "attention.softcap=1", kRope});                            // with a cap
  }
}

TEST(Blocks, EveryChangeOfScores) {
  for (const char* change :
       {"{scale='mup'}", "{scale='one'}", "{temperature=0.5}", "{learned_scale='head'}",
        "{learned_scale='layer'}", "{softcap=0.5}", "{sink='off_by_one'}", "{sink='learned'}",
        "{clip_zeta=1.03, clip_gamma=-0.03}", "{clip_zeta=1.5}", "{clip_gamma=-0.2}", "{window=1}",
        "{window=3}", "{gate='head'}", "{gate='element'}",
        "{entropy_weight=0.5, entropy_floor=0.9}", "{entropy_weight=2, entropy_floor=1}"}) {
    const std::string attention = std::string("attention=") + change;
    check_decoder({attention});
    check_decoder(kGrouped + Sets{attention, kRope, "bias=true"});
    check_decoder({attention, "placement.kind=post", "attention.qk_norm.kind=layer"});
  }
}

// Each kind of scores with all changes that go together.
TEST(Blocks, ChangesOfScoresTogether) {
  for (const std::string& kind : positions().names()) {
    const std::string position = "position.kind=" + kind;
    check_decoder(kGrouped + Sets{position,
                                  "attention={temperature=0.7, learned_scale='head', softcap=1.5, "
                                  "window=4, clip_zeta=1.03, clip_gamma=-0.03, sink='learned', "
                                  "gate='element', qk_norm.kind='rms'}"});
    check_decoder(kGrouped + Sets{position,
                                  "attention={scale='mup', learned_scale='layer', softcap=1.5, "
                                  "window=4, gate='head', entropy_weight=0.5, entropy_floor=0.9}"});
  }
}

TEST(Blocks, EveryPosition) {
  for (const std::string& kind : positions().names()) {
    const std::string position = "position.kind=" + kind;
    check_decoder({position});
    check_decoder({position, "heads=3", "kv_heads=3", "head_dim=4", "bias=true"});
    check_decoder(kGrouped + Sets{position, "placement.kind=post", "embedding_norm.kind=rms"});
  }
}

TEST(Blocks, EveryPositionOption) {
  for (const char* layout : {"half", "interleaved"}) {
    for (const char* more : {"", ", base=100", ", partial=0.5", ", rotate_v=true",
                             ", partial=0.7, rotate_v=true, base=3"}) {
      const std::string rope =
          std::string("position={kind='rope', layout='") + layout + "'" + more + "}";
      check_decoder(kGrouped + Sets{rope});
      check_decoder(kGrouped +
                    Sets{rope, "attention.qk_norm={kind='layer', gain='head', after_rope=true}"});
    }
  }
  for (const char* position :
       {"{kind='sinusoidal', layout='concatenated'}",
        "{kind='sinusoidal', layout='concatenated', scale_embedding=false}",
        "{kind='sinusoidal', scale_embedding=false}", "{kind='t5', buckets=4, max_distance=6}",
        "{kind='t5', buckets=3, max_distance=4}"}) {
    check_decoder({std::string("position=") + position});
    check_decoder(kGrouped + Sets{std::string("position=") + position, "attention.scale=one"});
  }
}

TEST(Blocks, EveryFeedForward) {
  for (const std::string& kind : ffns().names()) {
    const std::string ffn = "ffn.kind=" + kind;
    check_decoder({ffn});
    check_decoder({ffn, "bias=true", "norm.kind=layer", "placement.kind=post"});
  }
}

TEST(Blocks, EveryLinear) {
  for (const std::string& kind : linears().names()) {
    const std::string linear = "linear.kind=" + kind;
    check_decoder({linear});
    check_decoder({linear, "bias=true", "tied=false", "ffn.kind=gelu", "placement.kind=sandwich"});
    check_decoder(kGrouped +
                  Sets{linear, "position.kind=transformer_xl", "attention.gate=element"});
  }
  check_decoder({"linear={kind='sigma_reparam', gamma='one'}"});
}

TEST(Blocks, EveryHeadAndLoss) {
  for (const LossTerms& terms :
       {LossTerms{0, 0}, LossTerms{0.1, 0}, LossTerms{0, 0.2}, LossTerms{0.1, 0.2}}) {
    for (const char* tied : {"tied=true", "tied=false"}) {
      check_decoder({tied}, terms);
      check_decoder({tied, "head.bias=true"}, terms);
      check_decoder({tied, "head.softcap=2"}, terms);
      check_decoder({tied, "head={bias=true, softcap=1}", "norm.kind=layer"}, terms);
      check_decoder({tied, "init={kind='mup', base_dim=4}", "head.softcap=1"}, terms);
    }
  }
  check_decoder({"attention={entropy_weight=0.5, entropy_floor=0.9}"}, {0.1, 0.2});
}

}  // namespace
}  // namespace keel::test
