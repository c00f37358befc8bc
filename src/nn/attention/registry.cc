#include "nn/attention/softmax.h"

namespace keel {

// THE list of mixers.
const Registry<Mixer, const MixerArgs&>& mixers() {
  using R = Registry<Mixer, const MixerArgs&>;
  static const R r{"mixer", {R::entry<SoftmaxMixer>("softmax", "causal softmax attention")}};
  return r;
}

}  // namespace keel
