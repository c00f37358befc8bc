#include "lab/techniques/pages.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "config/load.h"
#include "io/fs.h"
#include "lab/techniques/costs.h"
#include "train/methods.h"

namespace keel {
namespace {

constexpr size_t kColumns = 80;

// `text` in lines of at most 80 columns, each begun with `indent` blanks.
std::string wrapped(std::string_view text, size_t indent) {
  std::string out, line(indent, ' ');
  for (const std::string& word : words_of(text)) {
    if (line.size() > indent && line.size() + 1 + word.size() > kColumns) {
      out += line + "\n";
      line.assign(indent, ' ');
    }
    line += (line.size() > indent ? " " : "") + word;
  }
  return out + line + "\n";
}

std::string section(const char* title, std::string_view text) {
  return text.empty() ? "" : fmt::format("\n{}\n{}", title, wrapped(text, 2));
}

// "model.norm.kind = \"rms\"": how a setting stands in `config show`.
std::string setting_text(const std::string& set) {
  const size_t equals = set.find('=');
  const std::string key = set.substr(0, equals), value = set.substr(equals + 1);
  const bool bare = std::isalpha(static_cast<unsigned char>(value[0])) != 0 && value != "true" &&
                    value != "false";
  return key + " = " + (bare ? "\"" + value + "\"" : value);
}

// Of a technique that is a method; else null.
const Preset* preset_of(const Technique& t) {
  const std::string start = methods().key + "=";
  return t.on.starts_with(start) ? methods().find(t.on.substr(start.size())) : nullptr;
}

// Keys that tell where a technique sits: for a method, those that it sets otherwise than the
// baseline does.
std::vector<std::string> marking_keys(const Technique& t) {
  std::vector<std::string> keys;
  for (const std::string& set : words_of(t.on)) keys.push_back(set.substr(0, set.find('=')));
  const Preset* preset = preset_of(t);
  if (!preset) return keys;
  const auto& base = methods().list.front().values;
  for (const Preset::Value& v : preset->values) {
    const bool same = std::any_of(base.begin(), base.end(), [&](const Preset::Value& b) {
      return b.key == v.key && b.value == v.value;
    });
    if (!same) keys.push_back(v.key);
  }
  return keys;
}

std::string keys_text(const Technique& t) {
  std::string text = "\nKeys\n";
  for (const KeyFact& f : keys_of(t)) {
    text += fmt::format("  {} = {}\n", f.key, f.text);
    text += wrapped(f.range.empty() ? f.doc : f.doc + " (" + f.range + ")", 6);
  }
  return text;
}

std::string cost_text(const Technique& t) {
  std::string text = "\nMeasured cost\n";
  if (!t.cost.empty()) return text + wrapped(t.cost, 2);
  for (const std::string& line : cost_lines(technique_costs(), t.name)) text += wrapped(line, 2);
  return text;
}

// "A norm" of "a norm".
std::string as_sentence(std::string_view line) {
  std::string s(line);
  s[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(s[0])));
  return s + ".";
}

// Nothing where nothing was measured.
std::string doc_cost(const Technique& t) {
  if (!t.cost.empty()) return fmt::format("\n**Measured cost.** {}\n", as_sentence(t.cost));
  const std::vector<std::string> lines = cost_lines(technique_costs(), t.name);
  if (lines.size() < 2) return "";
  std::string text = "\n**Measured cost.** ";
  for (const std::string& line : lines) text += line + (&line == &lines.back() ? "\n" : "; ");
  return text;
}

std::string on_text(const Technique& t) {
  std::string text = "\nTurned on by\n";
  for (const std::string& set : words_of(t.on)) text += "  " + setting_text(set) + "\n";
  if (const Preset* preset = preset_of(t)) {
    text += "which stands for\n";
    for (const Preset::Value& v : preset->values) text += "  " + v.key + " = " + v.value + "\n";
  }
  return text;
}

std::string formula_text(const Technique& t, const char* title) {
  if (t.formula.empty()) return "";
  std::string text = fmt::format("\n{}\n", title);
  for (size_t at = 0; at <= t.formula.size();) {
    const size_t end = std::min(t.formula.find('\n', at), t.formula.size());
    text += "  " + std::string(t.formula.substr(at, end - at)) + "\n";
    at = end + 1;
  }
  return text;
}

std::string drawing_text(const Technique& t) {
  const std::string text = block_text(only_marked(block_with(t)));
  return text.empty() ? "" : "\nWhere it sits (marked *)\n" + text;
}

const char* const kHead =
    "<!-- Written by `keel techniques --docs`; the texts are in "
    "src/lab/techniques. -->\n";

std::string paragraph(const char* title, std::string_view text) {
  return text.empty() ? "" : fmt::format("\n**{}** {}\n", title, text);
}

std::string picture_name(const TechniqueFamily& family, const Technique& t) {
  return fmt::format("{}_{}.svg", family.name, t.name);
}

// Nothing for what is not in the block or in the training step. A placement that leaves things out
// has nothing to mark.
std::string picture_of(const TechniqueFamily& family, const Technique& t) {
  Diagram shown = only_marked(block_with(t));
  if (family.name == "placement") shown.joins = block_with(t).joins;
  if (block_text(shown).empty()) return "";
  return block_svg(shown, {fmt::format("The block of {}", t.name)});
}

std::string doc_keys(const Technique& t) {
  std::string text = "\n| key | default | range |\n|---|---|---|\n";
  for (const KeyFact& f : keys_of(t)) {
    text += fmt::format("| `{}` | `{}` | {} |\n", f.key, f.text, f.range);
  }
  return text;
}

std::string doc_entry(const TechniqueFamily& family, const Technique& t) {
  std::string text = fmt::format("\n## {}\n\n{}{}{}\n\n```toml\n", t.name, as_sentence(t.line),
                                 t.what.empty() ? "" : " ", t.what);
  for (const std::string& set : words_of(t.on)) text += setting_text(set) + "\n";
  text += "```\n";
  if (!picture_of(family, t).empty()) {
    text += fmt::format("\n![The block of {}]({})\n", t.name, picture_name(family, t));
  }
  if (!t.formula.empty()) text += fmt::format("\n```\n{}\n```\n", t.formula);
  text += paragraph("Source.", t.source) + doc_cost(t) + paragraph("Conflicts.", t.conflicts) +
          paragraph("Not known.", t.unknown) + paragraph("Often told wrong.", t.wrong);
  return text + doc_keys(t);
}

std::string doc_page(const TechniqueFamily& family) {
  std::string text = fmt::format("{}# {}\n\n{}\n\n| technique | what it is |\n|---|---|\n", kHead,
                                 family.title, family.doc);
  for (const Technique& t : family.rows) {
    text += fmt::format("| [{0}](#{0}) | {1} |\n", t.name, t.line);
  }
  for (const Technique& t : family.rows) text += doc_entry(family, t);
  return text;
}

std::string doc_index() {
  std::string text = fmt::format(
      "{}# Techniques\n\nEach is one switch of the config; `keel techniques NAME` says the same "
      "and draws where it sits.\n\n| family | techniques |\n|---|---|\n",
      kHead);
  for (const TechniqueFamily& family : techniques()) {
    std::string names;
    for (const Technique& t : family.rows) {
      names +=
          fmt::format("{}[{}]({}.md#{})", names.empty() ? "" : ", ", t.name, family.name, t.name);
    }
    text += fmt::format("| [{}]({}.md) | {} |\n", family.title, family.name, names);
  }
  return text;
}

}  // namespace

RunConfig config_with(const Technique& t) {
  RunConfig config;
  std::vector<std::string> sets{"data.kind=random", "model.vocab=256"};
  for (std::string& set : words_of(t.on)) sets.push_back(std::move(set));
  load_config_text("technique " + std::string(t.name), "", sets, config);
  return config;
}

Diagram block_with(const Technique& t) {
  Diagram block = block_of(config_with(t));
  mark(block, marking_keys(t));
  return block;
}

std::string techniques_text() {
  std::string text;
  for (const TechniqueFamily& family : techniques()) {
    size_t width = 0;
    for (const Technique& t : family.rows) width = std::max(width, t.name.size());
    text += fmt::format("{}\n", family.title);
    for (const Technique& t : family.rows) {
      text += fmt::format("  {:{}}  {}\n", t.name, width, t.line);
    }
    text += '\n';
  }
  return text + "keel techniques NAME says more about one.\n";
}

Json techniques_json() {
  Json all = Json::array();
  for (const TechniqueFamily& family : techniques()) {
    for (const Technique& t : family.rows) {
      const std::vector<KeyFact> facts = keys_of(t);
      Json keys = Json::array();
      for (const KeyFact& f : facts) keys.push(f.key);
      all.push(Json::object()
                   .set("name", t.name)
                   .set("family", family.name)
                   .set("keys", std::move(keys))
                   .set("source", t.source)
                   .set("default", facts.front().value));
    }
  }
  return all;
}

std::string technique_text(std::string_view name) {
  const Technique& t = find_technique(name);
  std::string text = wrapped(fmt::format("{}: {}", t.name, t.line), 0);
  if (!t.what.empty()) text += "\n" + wrapped(t.what, 2);
  text += formula_text(t, "Formula") + drawing_text(t) + on_text(t) + keys_text(t);
  text += section("Source", t.source) + cost_text(t) + section("Conflicts", t.conflicts) +
          section("Not known", t.unknown) + section("Often told wrong", t.wrong);
  return text;
}

std::vector<DocFile> technique_docs() {
  std::vector<DocFile> files{{"README.md", doc_index()}};
  for (const TechniqueFamily& family : techniques()) {
    files.push_back({std::string(family.name) + ".md", doc_page(family)});
    for (const Technique& t : family.rows) {
      std::string picture = picture_of(family, t);
      if (!picture.empty()) files.push_back({picture_name(family, t), std::move(picture)});
    }
  }
  return files;
}

void write_technique_docs(const std::string& folder) {
  Fs& fs = real_fs();
  fs.make_dirs(folder);
  for (const DocFile& file : technique_docs()) {
    fs.replace_file(join_path(folder, file.name), file.text);
  }
}

}  // namespace keel
