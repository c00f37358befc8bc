// A block as text and as SVG. Both put the stream at the left, running down, and each branch on a
// line of its own to the right.
#include <fmt/format.h>

#include <algorithm>

#include "lab/techniques/block.h"
#include "lab/text.h"

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

// Geometry of the SVG, in its own units.
constexpr double kStream = 60, kRow = 40, kBox = 26, kGap = 26, kLetter = 7.2;

double width_of(const BlockPart& p) { return kLetter * static_cast<double>(p.text.size()) + 18; }

std::string line_svg(double x1, double y1, double x2, double y2, bool arrow) {
  return fmt::format("<path d=\"M{:.0f} {:.0f}L{:.0f} {:.0f}\"{}/>\n", x1, y1, x2, y2,
                     arrow ? " marker-end=\"url(#a)\"" : "");
}

// A part with its left edge at x and its middle at y.
std::string box_svg(const BlockPart& p, double x, double y) {
  return fmt::format(
      "<rect x=\"{:.0f}\" y=\"{:.0f}\" width=\"{:.0f}\" height=\"{:.0f}\" rx=\"4\"{}/>"
      "<text x=\"{:.0f}\" y=\"{:.0f}\">{}</text>\n",
      x, y - kBox / 2, width_of(p), kBox, p.marked ? " class=\"m\"" : "", x + width_of(p) / 2,
      y + 4, html_escape(p.text));
}

// The parts of a chain from x on, with the arrows before them; x moves behind the last.
std::string chain_svg(const BlockChain& chain, double& x, double y) {
  std::string s;
  for (const BlockPart& p : chain) {
    s += line_svg(x, y, x + kGap, y, true) + box_svg(p, x + kGap, y);
    x += kGap + width_of(p);
  }
  return s;
}

std::string centred_svg(const BlockPart& p, double& y) {
  std::string s = box_svg(p, kStream - width_of(p) / 2, y);
  y += kRow;
  return s;
}

// One join from y on; y moves below it, `right` to the rightmost place that is used.
std::string join_svg(const BlockJoin& join, double& y, double& right) {
  double x = kStream;
  std::string s = chain_svg(join.shared, x, y);
  const double fork = join.shared.empty() ? kStream : x + kGap / 2;
  if (!join.shared.empty()) s += line_svg(x, y, fork, y, false);
  double end = 0;
  std::vector<std::pair<double, double>> ends;
  const double top = y;
  for (const BlockChain& branch : join.branches) {
    double at = fork;
    s += chain_svg(branch, at, y);
    ends.emplace_back(at, y);
    end = std::max(end, at);
    y += kRow;
  }
  end += kGap;
  if (fork != kStream) s += line_svg(fork, top, fork, y - kRow, false);
  for (const auto& [at, row] : ends) s += line_svg(at, row, end, row, false);
  right = std::max(right, end);
  if (!join.second.empty()) {
    s += line_svg(end, top, end + kGap, top, true);
    s += fmt::format("<text x=\"{:.0f}\" y=\"{:.0f}\" style=\"text-anchor:start\">{}</text>\n",
                     end + kGap + 6, top + 4, html_escape(join.second));
    right = end + kGap + 12 + kLetter * static_cast<double>(join.second.size());
  }
  for (const BlockPart& p : join.stream) s += centred_svg(p, y);
  s += line_svg(end, top, end, y, false) + line_svg(end, y, kStream + 11, y, true);
  s += fmt::format(
      "<circle cx=\"{0:.0f}\" cy=\"{1:.0f}\" r=\"10\"/><text x=\"{0:.0f}\" "
      "y=\"{2:.0f}\">+</text>\n",
      kStream, y, y + 4);
  y += kRow;
  for (const BlockPart& p : join.after) s += centred_svg(p, y);
  return s;
}

}  // namespace

std::string block_text(const Diagram& b, bool only_marked) {
  const bool inside = any_marked(b.attention) || any_marked(b.ffn);
  const bool joins =
      std::any_of(b.joins.begin(), b.joins.end(), [](const BlockJoin& j) { return any_marked(j); });
  std::string text;
  const auto line = [&](const std::string& name, const BlockChain& chain) {
    if (!only_marked || any_marked(chain)) text += line_text(name, chain);
  };
  line("input", b.input);
  if (!only_marked || joins || inside) {
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

std::string block_svg(const Diagram& block) {
  constexpr const char* kStart =
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" width=\"{0:.0f}\" "
      "height=\"{1:.0f}\">\n"
      "<style>path{{stroke:#555;fill:none}}rect,circle{{fill:#fff;stroke:#555}}"
      ".m{{fill:#ffe2b8;stroke:#b36b00}}"
      "text{{font:12px monospace;text-anchor:middle;fill:#222}}</style>\n"
      "<defs><marker id=\"a\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"7\" "
      "markerHeight=\"7\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" "
      "style=\"fill:#555\"/></marker></defs>\n"
      "<rect width=\"100%\" height=\"100%\" style=\"stroke:none\"/>\n";
  double y = kRow, right = 0;
  std::string body;
  for (const BlockJoin& join : block.joins) body += join_svg(join, y, right);
  std::string stream = fmt::format("<text x=\"{:.0f}\" y=\"15\">x</text>\n", kStream) +
                       line_svg(kStream, 20, kStream, y, true);
  return fmt::format(kStart, right + 20, y + 10) + stream + body + "</svg>\n";
}

}  // namespace keel
