// The table of techniques against the config and the registries, its drawings, and the pages that
// are made of it.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "config/print.h"
#include "core/error.h"
#include "harness/expect_error.h"
#include "io/fs.h"
#include "io/temp_dir.h"
#include "lab/report.h"
#include "lab/techniques/costs.h"
#include "lab/techniques/pages.h"
#include "train/run_dir.h"

namespace keel {
namespace {

using test::expect_error;

std::vector<Technique> all_techniques() {
  std::vector<Technique> all;
  for (const TechniqueFamily& family : techniques()) {
    all.insert(all.end(), family.rows.begin(), family.rows.end());
  }
  return all;
}

std::string switch_of(const Technique& t) {
  const std::string first = words_of(t.on).front();
  return first.substr(0, first.find('='));
}

// Whether a key is about techniques at all: data, what a run writes down and sizes are not.
bool is_technique_key(const std::string& key) {
  static const std::set<std::string> kSizes{"model.dim", "model.layers", "model.vocab",
                                            "model.context"};
  if (kSizes.contains(key)) return false;
  for (const char* table :
       {"model.", "task.", "optim.", "schedule.", "clip.", "method", "train.batch_warmup."}) {
    if (key.starts_with(table)) return true;
  }
  return false;
}

TEST(Techniques, EachSaysWhatItIsAndHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (const Technique& t : all_techniques()) {
    SCOPED_TRACE(t.name);
    EXPECT_TRUE(names.insert(t.name).second);
    EXPECT_FALSE(t.line.empty());
    EXPECT_FALSE(t.line.ends_with('.'));
    EXPECT_LE(t.line.size(), 80u);
    EXPECT_FALSE(words_of(t.on).empty());
  }
}

TEST(Techniques, EachIsAConfigThatIsRight) {
  for (const Technique& t : all_techniques()) {
    SCOPED_TRACE(t.name);
    EXPECT_NO_THROW(config_with(t));
    EXPECT_NO_THROW(keys_of(t));
  }
}

TEST(Techniques, EveryKindOfEveryRegistryHasARow) {
  std::set<std::pair<std::string, std::string>> rows;  // family of the registry, kind
  for (const Technique& t : all_techniques()) {
    const KeyFact first = keys_of(t).front();
    if (!first.registry) continue;
    const std::string on = words_of(t.on).front();
    rows.emplace(first.registry->family(), on.substr(on.find('=') + 1));
  }
  for (const KeyFact& f : config_keys()) {
    if (!f.registry || !is_technique_key(f.key)) continue;
    for (const std::string& kind : f.registry->names()) {
      EXPECT_TRUE(rows.contains({f.registry->family(), kind})) << f.key << " = " << kind;
    }
  }
}

TEST(Techniques, EveryKeyOfTheModelAndItsTrainingIsInARow) {
  std::set<std::string> told;
  for (const Technique& t : all_techniques()) {
    for (const KeyFact& f : keys_of(t)) told.insert(f.key);
  }
  for (const KeyFact& f : config_keys()) {
    // The norm of the embedding and Muon's AdamW have the keys of the rows that they repeat.
    const bool again =
        f.key.starts_with("model.embedding_norm.") || f.key.starts_with("optim.adamw.");
    if (!is_technique_key(f.key) || again) continue;
    EXPECT_TRUE(told.contains(f.key)) << f.key;
  }
}

TEST(Techniques, EveryMethodHasARow) {
  for (const KeyFact& f : config_keys()) {
    if (f.key != "method") continue;
    for (const std::string& value : f.values) {
      if (value == "none") continue;
      EXPECT_NO_THROW(find_technique("method_" + value));
      EXPECT_EQ(find_technique("method_" + value).on, "method=" + value);
    }
  }
}

TEST(Techniques, KeysHaveTheDefaultsOfTheirOwnKind) {
  const auto value = [](const char* name, const std::string& key) {
    for (const KeyFact& f : keys_of(find_technique(name))) {
      if (f.key == key) return f.text;
    }
    return std::string("none");
  };
  EXPECT_EQ(value("rms_norm", "model.norm.kind"), "\"rms\"");
  EXPECT_EQ(value("rms_norm", "model.norm.bias"), "false");
  EXPECT_EQ(value("layer_norm", "model.norm.bias"), "true");
  EXPECT_EQ(value("lion", "optim.lr"), "1e-04");
  EXPECT_EQ(value("soft_cap", "model.attention.softcap"), "0.0");
}

TEST(Techniques, UnknownNameIsSuggested) {
  const std::string end = " (keel techniques lists them)";
  expect_error<ConfigError>("unknown technique \"rms_nrm\", did you mean \"rms_norm\"?" + end,
                            [] { find_technique("rms_nrm"); });
  expect_error<ConfigError>(
      "unknown technique \"triangular\", did you mean \"slanted_triangular_schedule\"?" + end,
      [] { find_technique("triangular"); });
  // A part of names is no slip of another name.
  expect_error<ConfigError>("unknown technique \"deep\", did you mean \"deepnorm\"?" + end,
                            [] { find_technique("deep"); });
  expect_error<ConfigError>(
      "unknown technique \"softcap\", did you mean \"soft_cap\" or \"output_softcap\" or "
      "\"method_soft_cap\"?" +
          end,
      [] { find_technique("softcap"); });
  expect_error<ConfigError>(
      "unknown technique \"QK-Norm_L\", did you mean \"qk_norm_layer\" or \"qk_norm_l2\"?" + end,
      [] { find_technique("QK-Norm_L"); });
  expect_error<ConfigError>(
      "unknown technique \"RoPE\", did you mean \"rope\" or \"rope_rotated_values\"?" + end,
      [] { find_technique("RoPE"); });
  expect_error<ConfigError>("unknown technique \"quux\"" + end, [] { find_technique("quux"); });
}

TEST(Techniques, ADrawingMarksWhereTheTechniqueSits) {
  for (const Technique& t : all_techniques()) {
    const std::string key = switch_of(t);
    if (key.starts_with("model.placement") || key.starts_with("model.attention.") ||
        key.starts_with("model.norm.kind") || key.starts_with("model.residual") ||
        key.starts_with("optim.") || key.starts_with("clip.") || key.starts_with("model.ffn")) {
      const bool plain = t.name == "unnormed";  // nothing is there to be marked
      EXPECT_EQ(block_text(only_marked(block_with(t))).find("[*") == std::string::npos, plain)
          << t.name;
    }
  }
}

TEST(Techniques, DrawingOfSandwichWithLayerScale) {
  RunConfig c;
  c.model.placement.select("sandwich");
  c.model.residual.select("layer_scale");
  Diagram d = block_of(c);
  mark(d, {"model.residual.kind"});
  EXPECT_EQ(block_text(only_marked(d)),
            "    x\n"
            "    |\n"
            "    +--> [norm: rms] --> [attention] --> [norm: rms] --> [*x lambda*] --+\n"
            "    |                                                                   |\n"
            "   (+) <----------------------------------------------------------------+\n"
            "    |\n"
            "    +--> [norm: rms] --> [feed-forward] --> [norm: rms] --> [*x lambda*] --+\n"
            "    |                                                                      |\n"
            "   (+) <-------------------------------------------------------------------+\n"
            "    |\n"
            "    v\n");
}

TEST(Techniques, DrawingOfDeepNormAndParallel) {
  RunConfig c;
  c.model.placement.select("deepnorm");
  const std::string deep = block_text(block_of(c));
  EXPECT_NE(deep.find("    +--> [attention] --+\n"
                      "  [x alpha]            |\n"
                      "    |                  |\n"
                      "   (+) <---------------+\n"
                      "    |\n"
                      "  [norm: rms]\n"),
            std::string::npos)
      << deep;
  c.model.placement.select("parallel");
  const std::string parallel = block_text(block_of(c));
  EXPECT_NE(parallel.find("    +--> [norm: rms] --+--> [attention] -----+\n"
                          "    |                  +--> [feed-forward] --+\n"
                          "    |                                        |\n"
                          "   (+) <-------------------------------------+\n"),
            std::string::npos)
      << parallel;
}

TEST(Techniques, EveryPlacementIsDrawnOtherwise) {
  std::set<std::string> drawings;
  for (const std::string& kind : placements().names()) {
    RunConfig c;
    c.model.placement.select(kind);
    EXPECT_TRUE(drawings.insert(block_text(block_of(c))).second) << kind;
  }
}

TEST(Techniques, TextsFitEightyColumns) {
  for (const Technique& t : all_techniques()) {
    const std::string text = technique_text(t.name);
    for (size_t at = 0; at < text.size();) {
      const size_t end = std::min(text.find('\n', at), text.size());
      EXPECT_LE(end - at, 80u) << t.name << ": " << text.substr(at, end - at);
      at = end + 1;
    }
  }
}

const char* const kCosts = R"({"config": "a.toml", "set": [], "steps": 3, "machine": "2 cores",
  "base": ["pre_norm"], "rows": [
  {"family": "optimizer", "technique": "muon", "form": "", "time": 1.2346, "low": 1.2, "high": 1.3,
   "memory": 1.01, "work": 1.15, "parameters": 0, "pairs": 3, "sampled": null, "date": "2026-11-27"},
  {"family": "score", "technique": "gated_output", "form": "by head", "time": 1.01, "low": 1,
   "high": 1.02, "memory": 1, "work": 1.001, "parameters": 2304, "pairs": 3,
   "sampled": [1.0152, 0.004], "date": "2026-11-27"}
]})";

TEST(TechniqueCosts, AreReadAndTold) {
  using Lines = std::vector<std::string>;
  const TechniqueCosts costs = costs_of(parse_json(kCosts, "costs"));
  EXPECT_EQ(cost_lines(costs, "muon"),
            (Lines{"step time x 1.235 (1.200 to 1.300), its floor by flops x 1.150, memory x "
                   "1.010, parameters +0",
                   "(a.toml, 2 cores, 2026-11-27)"}));
  EXPECT_EQ(
      cost_lines(costs, "gated_output"),
      (Lines{"by head: step time x 1.010 (1.000 to 1.020), x 1.015 by samples, memory x 1.000, "
             "parameters +2304",
             "(a.toml, 2 cores, 2026-11-27)"}));
  EXPECT_EQ(cost_lines(costs, "pre_norm"),
            (Lines{"it is in the step that others are measured against"}));
  EXPECT_EQ(cost_lines(costs, "alibi"), Lines{"not measured"});
  expect_error<DataError>("key \"rows\" is missing", [] {
    costs_of(parse_json(R"({"config": "", "machine": "", "base": []})", "costs"));
  });
}

TEST(TechniqueCosts, AreOfTechniquesThatThereAre) {
  for (const TechniqueCost& r : technique_costs().rows)
    EXPECT_NO_THROW(find_technique(r.technique));
  for (const std::string& name : technique_costs().base) EXPECT_NO_THROW(find_technique(name));
  for (const Technique& t : all_techniques()) {
    EXPECT_NE(technique_text(t.name).find("\nMeasured cost\n  "), std::string::npos);
  }
}

TEST(Techniques, JsonHasNameFamilyKeysSourceDefault) {
  const Json all = techniques_json();
  ASSERT_EQ(all.as_array().size(), all_techniques().size());
  for (const Json& t : all.as_array()) {
    EXPECT_EQ(t.as_object().size(), 5u);
    EXPECT_FALSE(t.at("keys").as_array().empty());
    EXPECT_FALSE(t.at("name").as_string().empty());
    EXPECT_FALSE(t.at("family").as_string().empty());
    t.at("source").as_string();
    EXPECT_FALSE(t.at("default").is_null());
  }
}

// Of a well-formed document without comments: tags nest, attributes are quoted and stand once, text
// has no bare & or <. Returns what is wrong, or "".
std::string ill_formed(const std::string& xml) {
  std::vector<std::string> open;
  size_t at = 0;
  while (at < xml.size()) {
    const size_t tag = std::min(xml.find('<', at), xml.size());
    const std::string text = xml.substr(at, tag - at);
    for (size_t i = text.find('&'); i != text.npos; i = text.find('&', i + 1)) {
      const std::string entity = text.substr(i, text.find(';', i) - i);
      if (entity != "&amp" && entity != "&lt" && entity != "&gt" && entity != "&quot" &&
          entity != "&#39") {
        return "a bare & in: " + text;
      }
    }
    if (open.empty() && text.find_first_not_of(" \n") != text.npos) return "text outside: " + text;
    if (tag == xml.size()) break;
    const size_t end = xml.find('>', tag);
    if (end == xml.npos) return "a tag without end";
    std::string inside = xml.substr(tag + 1, end - tag - 1);
    at = end + 1;
    if (inside.find('<') != inside.npos) return "< in a tag: " + inside;
    if (inside.starts_with('/')) {
      if (open.empty() || "/" + open.back() != inside) return "closed: " + inside;
      open.pop_back();
      continue;
    }
    const bool empty = inside.ends_with('/');
    if (empty) inside.pop_back();
    std::string name = inside.substr(0, inside.find_first_of(" \n"));
    std::set<std::string> attributes;
    for (size_t i = name.size(); i < inside.size();) {
      const size_t equals = inside.find("=\"", i);
      const size_t close = equals == inside.npos ? equals : inside.find('"', equals + 2);
      if (close == inside.npos || inside[i] != ' ') return "an attribute: " + inside;
      if (!attributes.insert(inside.substr(i, equals - i)).second) return "twice: " + inside;
      i = close + 1;
    }
    if (!empty) open.push_back(std::move(name));
  }
  return open.empty() ? "" : "never closed: " + open.back();
}

double number_in(const std::string& text, const std::string& name) {
  const size_t at = text.find(" " + name + "=\"");
  return at == text.npos ? 0 : std::stod(text.substr(at + name.size() + 3));
}

TEST(Techniques, DrawingsAreWellFormedAndInsideTheirFrame) {
  EXPECT_NE(ill_formed("<a><b></a></b>"), "");
  EXPECT_NE(ill_formed("<a>1 & 2</a>"), "");
  EXPECT_NE(ill_formed("<a x=\"1\" x=\"2\"/>"), "");
  for (const Technique& t : all_techniques()) {
    for (const bool of_page : {false, true}) {
      const std::string svg = block_svg(block_with(t), {"<&\"'", of_page});
      EXPECT_EQ(ill_formed(svg), "") << t.name;
      EXPECT_EQ(svg.find(" id="), svg.npos);
      const double width = number_in(svg, "width"), height = number_in(svg, "height");
      for (size_t at = svg.find("<rect x="); at != svg.npos; at = svg.find("<rect x=", at + 1)) {
        const std::string box = svg.substr(at, svg.find('>', at) - at);
        EXPECT_GE(number_in(box, "x"), 0) << t.name << box;
        EXPECT_LE(number_in(box, "x") + number_in(box, "width"), width) << t.name << box;
        EXPECT_GE(number_in(box, "y"), 0) << t.name << box;
        EXPECT_LE(number_in(box, "y") + number_in(box, "height"), height) << t.name << box;
      }
    }
  }
}

// Every part of the text is in the picture of a report, and its style is the page's.
TEST(Techniques, AReportsPictureHasThePartsOfItsText) {
  const Diagram d = block_of(config_with(find_technique("sandwich")));
  const std::string svg = block_svg(d, {"run", true});
  for (const BlockChain& c :
       {d.input, d.attention, d.ffn, d.output, d.update, d.joins[0].branches[0]}) {
    for (const BlockPart& p : c) EXPECT_NE(svg.find(">" + p.text + "<"), svg.npos) << p.text;
  }
  EXPECT_EQ(svg.find("<style>"), svg.npos);
  const std::string alone = block_svg(d, {"run"});
  EXPECT_NE(alone.find("prefers-color-scheme:dark"), alone.npos);
  EXPECT_NE(alone.find("<title>run</title>\n<desc>\ninput:"), alone.npos);
}

TEST(Techniques, AReportDrawsTheBlockOfItsRun) {
  const TempDir dir;
  const Technique& t = find_technique("sandwich");
  RunDir::create(real_fs(), dir / "run", {{"config.toml", to_toml(config_with(t))}});
  const std::vector<RunData> runs{load_run_data(dir / "run")};
  const Json data = report_data(runs, {});
  const Json& of_run = data.at("runs").as_array()[0];
  const Diagram block = block_of(config_with(t));
  EXPECT_EQ(of_run.at("block").as_string(), block_text(block));
  EXPECT_EQ(of_run.at("block_svg").as_string(), block_svg(block, {"The block of run", true}));
}

// After a change of the table: keel techniques --docs docs/techniques
TEST(Techniques, CommittedPagesAreCurrent) {
  const std::string folder = KEEL_SOURCE_DIR "/docs/techniques";
  std::set<std::string> names;
  for (const DocFile& file : technique_docs()) {
    names.insert(file.name);
    const std::string path = join_path(folder, file.name);
    ASSERT_TRUE(real_fs().exists(path)) << path;
    EXPECT_TRUE(real_fs().read_file(path, 1 << 20) == file.text)
        << path << " is not what keel techniques --docs docs/techniques writes";
  }
  for (const std::string& name : real_fs().list(folder)) {
    EXPECT_TRUE(names.contains(name)) << folder << "/" << name << " is of no technique";
  }
}

TEST(Techniques, EachHasASource) {
  for (const Technique& t : all_techniques()) EXPECT_FALSE(t.source.empty()) << t.name;
}

TEST(Techniques, PagesAreWrittenWhole) {
  const TempDir dir;
  write_technique_docs(dir / "new/pages");
  EXPECT_EQ(real_fs().list(dir / "new/pages").size(), technique_docs().size());
}

}  // namespace
}  // namespace keel
