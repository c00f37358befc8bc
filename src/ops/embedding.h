// y[b][t] = scale table[token] (+ positions[position of t]): rows of a table looked up by token,
// and optionally a table of positions added.
#pragma once

#include "autograd/var.h"

namespace keel {

// tokens i32 [b, t]; table [vocab, c] f32 or bf16; positions [context, c] f32 or bf16, or empty;
// segments i32 [b, t] (index within the row of the first token of this token's document) or empty.
// A token's position is offset + its index - its segment's start. y f32 [b, t, c]: the residual
// stream. Gradients of both tables are f32. DataError names a token outside the table and its
// place; ShapeError when positions run beyond their table.
Var embedding(const Tensor& tokens, const Var& table, const Var& positions = {},
              const Tensor& segments = {}, int64_t offset = 0, float scale = 1.0f);

namespace kernel {
struct EmbeddingFwd {
  Tensor tokens, table, positions, segments, y;  // positions, segments may be empty
  int64_t offset;
  float scale = 1.0f;
};
struct EmbeddingBwd {
  Tensor dy, tokens, segments;
  Grad dtable, dpositions;  // f32
  int64_t offset;
  float scale = 1.0f;
};
// Throws DataError for a token outside [0, vocab).
void check_tokens(Cpu&, const Tensor& tokens, int64_t vocab);
void embedding_fwd(Cpu&, const EmbeddingFwd&);
void embedding_bwd(Cpu&, const EmbeddingBwd&);
}  // namespace kernel

}  // namespace keel
