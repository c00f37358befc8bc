#include "optim/clip_adagc.h"
#include "optim/clip_global.h"
#include "optim/clip_zclip.h"

namespace keel {

// THE list of clips.
const Registry<Clip, const ClipArgs&>& clips() {
  using R = Registry<Clip, const ClipArgs&>;
  static const R r{
      "clip",
      {R::entry<NoClip>("none", "gradients are left alone"),
       R::entry<GlobalClip>("global", "the global norm is held at a bound"),
       R::entry<AdaGcClip>("adagc", "each tensor's norm is held near its own average"),
       R::entry<ZClip>("zclip", "outliers of the global norm are cut down, by their z-score")}};
  return r;
}

}  // namespace keel
