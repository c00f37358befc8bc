// The picture of a model and of its training step that a config stands for: where norms sit, how
// branches join the residual stream, what happens to attention's scores. One structure, drawn as
// text and as SVG.
#pragma once

#include <string>
#include <vector>

#include "train/config.h"

namespace keel {

struct BlockPart {
  std::string text;
  std::vector<std::string> keys;  // tables or keys of the config that it shows
  bool marked = false;
};
using BlockChain = std::vector<BlockPart>;

// Branches that leave the stream at one point and are added to it at another.
struct BlockJoin {
  BlockChain shared;                 // before they part
  std::vector<BlockChain> branches;  // at least one
  BlockChain stream;                 // what the stream itself goes through meanwhile
  BlockChain after;                  // what their sum goes through
  std::string second;                // the other stream that they are added to as well; or ""
};

struct Diagram {
  std::vector<BlockJoin> joins;
  // Lines of parts: what is inside of the parts above, and what surrounds the block.
  BlockChain input, attention, ffn, output, update;
};

// ConfigError for a placement that it does not know how to draw.
Diagram block_of(const RunConfig& config);
// Marks the parts that one of `keys` (dotted) is about.
void mark(Diagram& block, const std::vector<std::string>& keys);

// Without the lines that have no mark; the joins stay if they or what is inside of them has one.
Diagram only_marked(Diagram block);

// At most 80 columns; marked parts stand in [* *].
std::string block_text(const Diagram& block);
struct BlockSvg {
  std::string title;     // for those who do not see it
  bool of_page = false;  // for a page that styles `.block` itself and has the text beside it
};
// Well-formed, complete, light or dark as its reader's system is (or as the page has it).
std::string block_svg(const Diagram& block, const BlockSvg& how);

}  // namespace keel
