// How predictable the tokens of a run's training data are without a model: the entropies that its
// losses are compared with.
#pragma once

#include <cstdint>

#include "data/dataset.h"

namespace keel {

// In nats, over the training targets that count in the loss, each taken together with the token
// right before it.
struct TokenEntropy {
  double unigram = 0;  // H1: of the targets alone
  double bigram = 0;   // H(target | token before it): the loss of the best model of pairs
  int64_t tokens = 0;  // targets that were counted
};

// Counts one pass over the sequences of training, in the order of the run and with the sources in
// their shares, at most 2^30 targets; 2^25 where there are more than 1024 ids, as memory then grows
// with the number of different pairs; and 2^21 of data that never repeats. A pair lies within one
// window, so it never joins two sources; at a border of documents its first token is the end that
// the model sees there. Where pairs are rare for their number, as with many ids, `bigram` comes out
// too low. The same bits whatever the number of threads. `data` has training sequences
// (not that of open_eval). DataError as train_batch; MemoryError.
TokenEntropy token_entropy(const Dataset& data);

}  // namespace keel
