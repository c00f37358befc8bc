// A block as text: the stream at the left, running down, each branch on a line of its own to the
// right.
#include <fmt/format.h>

#include <algorithm>

#include "lab/techniques/block.h"

namespace keel {
namespace {

constexpr size_t kColumns = 80;

std::string boxed(const BlockPart& p) {
  return p.marked ? "[*" + p.text + "*]" : "[" + p.text + "]";
}

std::string chain_text(const BlockChain& chain) {
  std::string s;
  for (const BlockPart& p : chain) s += (s.empty() ? "" : " --> ") + boxed(p);
  return s;
}

bool any_marked(const BlockChain& chain) {
  return std::any_of(chain.begin(), chain.end(), [](const BlockPart& p) { return p.marked; });
}

bool any_marked(const BlockJoin& join) {
  return any_marked(join.shared) || any_marked(join.stream) || any_marked(join.after) ||
         std::any_of(join.branches.begin(), join.branches.end(),
                     [](const BlockChain& b) { return any_marked(b); });
}

// "name:  [a] -> [b]", continued below where a line is full.
std::string line_text(const std::string& name, const BlockChain& chain) {
  constexpr size_t kIndent = 14;
  std::string text = fmt::format("{:{}}", name + ":", kIndent);
  size_t at = kIndent;
  for (size_t i = 0; i < chain.size(); ++i) {
    const std::string part = (i == 0 ? "" : " -> ") + boxed(chain[i]);
    if (i > 0 && at + part.size() > kColumns) {
      text += "\n" + std::string(kIndent, ' ');
      at = kIndent;
    }
    text += part;
    at += part.size();
  }
  return text + "\n";
}

// The lines of the branches of a join, all of one width, and the line on which they come back.
std::string join_text(const BlockJoin& join) {
  const std::string shared =
      join.shared.empty() ? "    +--> " : "    +--> " + chain_text(join.shared) + " --+--> ";
  std::vector<std::string> lines;
  size_t width = 0;
  for (size_t i = 0; i < join.branches.size(); ++i) {
    std::string lead = shared;
    if (i > 0 && !join.shared.empty()) {
      lead = fmt::format("    |{:{}}+--> ", "", shared.size() - 5 - 5);
    }
    lines.push_back(lead + chain_text(join.branches[i]));
    width = std::max(width, lines.back().size());
  }
  std::string text = "    |\n";
  for (std::string& line : lines) {
    line += " " + std::string(width - line.size() + 2, '-') + "+";
    if (!join.second.empty()) line += "--> " + join.second;
    text += line + "\n";
  }
  for (const BlockPart& p : join.stream) {
    text += fmt::format("{:{}}|\n", "  " + boxed(p), width + 3);
  }
  text += fmt::format("    |{:{}}|\n", "", width - 2);
  text += "   (+) <" + std::string(width - 5, '-') + "+\n";
  for (const BlockPart& p : join.after) text += "    |\n  " + boxed(p) + "\n";
  return text;
}

}  // namespace

Diagram only_marked(Diagram b) {
  const bool inside = any_marked(b.attention) || any_marked(b.ffn);
  const bool joins =
      std::any_of(b.joins.begin(), b.joins.end(), [](const BlockJoin& j) { return any_marked(j); });
  if (!joins && !inside) b.joins.clear();
  for (BlockChain* line : {&b.input, &b.attention, &b.ffn, &b.output, &b.update}) {
    if (!any_marked(*line)) line->clear();
  }
  return b;
}

std::string block_text(const Diagram& b) {
  std::string text;
  const auto line = [&](const std::string& name, const BlockChain& chain) {
    if (!chain.empty()) text += line_text(name, chain);
  };
  line("input", b.input);
  if (!b.joins.empty()) {
    text += (text.empty() ? "" : "\n") + std::string("    x\n");
    for (const BlockJoin& join : b.joins) text += join_text(join);
    text += "    |\n    v\n";
  }
  line("attention", b.attention);
  line("feed-forward", b.ffn);
  line("output", b.output);
  line("training", b.update);
  return text;
}

}  // namespace keel
