// A block as SVG, laid out as the text is: the stream at the left, running down, each branch on a
// line of its own to the right. Arrow heads are drawn, not <marker>s: ids would be shared by all
// the drawings of a page.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "lab/techniques/block.h"
#include "lab/text.h"

namespace keel {
namespace {

constexpr double kStream = 60, kRow = 40, kBox = 26, kGap = 26, kLetter = 7.2;
constexpr double kChain = 100,
                 kWidth = 900;  // of a line of parts: where it begins, where it breaks

double width_of(const BlockPart& p) { return kLetter * static_cast<double>(p.text.size()) + 18; }

const char* const kStyle =
    "<style>.block path{stroke:#555;fill:none}.block .h{fill:#555;stroke:none}"
    ".block rect,.block circle{fill:#fff;stroke:#555}.block .bg{stroke:none}"
    ".block .m{fill:#ffe2b8;stroke:#b36b00}"
    ".block text{font:12px monospace;text-anchor:middle;fill:#222}.block .s{text-anchor:start}\n"
    "@media(prefers-color-scheme:dark){.block path{stroke:#a3aebb}.block .h{fill:#a3aebb}"
    ".block rect,.block circle{fill:#171c22;stroke:#a3aebb}.block .bg{stroke:none}"
    ".block .m{fill:#5c3c08;stroke:#f5c66b}.block text{fill:#e7ecf1}}</style>\n";

class Drawing {
 public:
  void join(const BlockJoin& join);
  void line(const std::string& name, const BlockChain& chain);
  // The stream from here to the end of the joins, which are drawn over it.
  void stream(const std::vector<BlockJoin>& joins);
  std::string page(const BlockSvg& how, const std::string& text) const;

 private:
  void arrow(double x1, double y1, double x2, double y2);
  void stroke(double x1, double y1, double x2, double y2);
  void text(double x, double y, const char* attributes, std::string_view what);
  void box(const BlockPart& p, double x, double y);
  void chain(const BlockChain& chain, double& x, double y);
  void on_stream(const BlockChain& chain);
  void see(double x) { right_ = std::max(right_, x); }

  std::string out_;
  double y_ = 26, right_ = 0;
};

void Drawing::stroke(double x1, double y1, double x2, double y2) {
  out_ += fmt::format("<path d=\"M{:.0f} {:.0f}L{:.0f} {:.0f}\"/>\n", x1, y1, x2, y2);
}

// Right, left or down.
void Drawing::arrow(double x1, double y1, double x2, double y2) {
  stroke(x1, y1, x2, y2);
  const char* head = x1 == x2 ? "l-4 -7h8z" : x1 < x2 ? "l-7 -4v8z" : "l7 -4v8z";
  out_ += fmt::format("<path class=\"h\" d=\"M{:.0f} {:.0f}{}\"/>\n", x2, y2, head);
}

void Drawing::text(double x, double y, const char* attributes, std::string_view what) {
  out_ += fmt::format("<text x=\"{:.0f}\" y=\"{:.0f}\"{}>{}</text>\n", x, y + 4, attributes,
                      html_escape(what));
}

// With its left edge at x and its middle at y.
void Drawing::box(const BlockPart& p, double x, double y) {
  out_ +=
      fmt::format("<rect x=\"{:.0f}\" y=\"{:.0f}\" width=\"{:.0f}\" height=\"{:.0f}\" rx=\"4\"{}/>",
                  x, y - kBox / 2, width_of(p), kBox, p.marked ? " class=\"m\"" : "");
  text(x + width_of(p) / 2, y, "", p.text);
  see(x + width_of(p));
}

// The parts from x on, with the arrows before them; x moves behind the last.
void Drawing::chain(const BlockChain& chain, double& x, double y) {
  for (const BlockPart& p : chain) {
    arrow(x, y, x + kGap, y);
    box(p, x + kGap, y);
    x += kGap + width_of(p);
  }
}

void Drawing::on_stream(const BlockChain& chain) {
  for (const BlockPart& p : chain) {
    box(p, kStream - width_of(p) / 2, y_);
    y_ += kRow;
  }
}

void Drawing::join(const BlockJoin& join) {
  const double top = y_;
  double fork = kStream, end = 0;
  chain(join.shared, fork, y_);
  if (!join.shared.empty()) {
    stroke(fork, top, fork + kGap / 2, top);
    fork += kGap / 2;
  }
  std::vector<std::pair<double, double>> ends;
  for (const BlockChain& branch : join.branches) {
    double at = fork;
    chain(branch, at, y_);
    ends.emplace_back(at, y_);
    end = std::max(end, at + kGap);
    y_ += kRow;
  }
  if (fork != kStream) stroke(fork, top, fork, y_ - kRow);
  for (const auto& [at, row] : ends) stroke(at, row, end, row);
  see(end);
  if (!join.second.empty()) {
    arrow(end, top, end + kGap, top);
    text(end + kGap + 6, top, " class=\"s\"", join.second);
    see(end + kGap + 6 + kLetter * static_cast<double>(join.second.size()));
  }
  on_stream(join.stream);
  stroke(end, top, end, y_);
  arrow(end, y_, kStream + 11, y_);
  out_ += fmt::format("<circle cx=\"{:.0f}\" cy=\"{:.0f}\" r=\"10\"/>", kStream, y_);
  text(kStream, y_, "", "+");
  y_ += kRow;
  on_stream(join.after);
}

void Drawing::stream(const std::vector<BlockJoin>& joins) {
  if (joins.empty()) return;
  double rows = 1;
  for (const BlockJoin& j : joins) {
    rows += static_cast<double>(1 + j.branches.size() + j.stream.size() + j.after.size());
  }
  text(kStream, y_ - 15, "", "x");
  arrow(kStream, y_ - 5, kStream, y_ - 26 + kRow * rows);
  y_ += 14;
  for (const BlockJoin& j : joins) join(j);
  y_ += 26;
}

void Drawing::line(const std::string& name, const BlockChain& chain) {
  if (chain.empty()) return;
  text(12, y_, " class=\"s\"", name);
  double x = kChain;
  for (size_t i = 0; i < chain.size(); ++i) {
    if (i > 0 && x + kGap + width_of(chain[i]) > kWidth) {
      x = kChain;
      y_ += kRow;
    }
    if (i > 0) arrow(x, y_, x + kGap, y_);
    box(chain[i], x + kGap, y_);
    x += kGap + width_of(chain[i]);
  }
  y_ += kRow;
}

std::string Drawing::page(const BlockSvg& how, const std::string& text) const {
  std::string s = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"block\" role=\"img\" "
      "viewBox=\"0 0 {0:.0f} {1:.0f}\" width=\"{0:.0f}\" height=\"{1:.0f}\">\n<title>{2}</title>\n",
      right_ + 20, y_ - 16, html_escape(how.title));
  if (!how.of_page) {
    s += fmt::format("<desc>\n{}</desc>\n", html_escape(text));
    s += kStyle + std::string("<rect class=\"bg\" width=\"100%\" height=\"100%\"/>\n");
  }
  return s + out_ + "</svg>\n";
}

}  // namespace

std::string block_svg(const Diagram& block, const BlockSvg& how) {
  Drawing drawing;
  drawing.line("input", block.input);
  drawing.stream(block.joins);
  drawing.line("attention", block.attention);
  drawing.line("feed-forward", block.ffn);
  drawing.line("output", block.output);
  drawing.line("training", block.update);
  return drawing.page(how, block_text(block));
}

}  // namespace keel
