// One hash of everything that the rest of a run depends on: parameters, buffers of modules, moments
// and averages of optimizer and clip, the average of the weights, the step and the place in the
// data. Equal hashes mean that two runs of one config go on with the same bits. The schedule, the
// random streams and the cursor of the metrics are functions of step, place and config, so they are
// in it; time, host, paths, threads and the losses seen so far are not.
#pragma once

#include <string>

#include "train/checkpoint_files.h"
#include "train/trainer.h"

namespace keel {

// xxh3-128, 32 hex digits.
std::string state_hash(const Trainer& trainer);
// The same for a checkpoint of that trainer. DataError when the manifest lacks the place in the
// data.
std::string state_hash(const LoadedCheckpoint& checkpoint);

}  // namespace keel
