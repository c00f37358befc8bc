// What the training split says about itself before any model sees it.
#pragma once

#include <cstdint>

#include "data/dataset.h"

namespace keel {

// Entropies in nats a token: of a token alone, and of a token given the one before it.
struct TokenEntropy {
  double unigram = 0, bigram = 0;
  int64_t tokens = 0;  // that were counted
};
TokenEntropy token_entropy(const Dataset& data);

}  // namespace keel
