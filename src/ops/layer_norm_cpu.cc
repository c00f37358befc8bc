#include "ops/layer_norm.h"
#include "ops/norm_cpu.h"

namespace keel::kernel {

void layer_norm_fwd(Cpu&, const LayerNormFwd& a) { norm_fwd(a); }
void layer_norm_bwd(Cpu&, const LayerNormBwd& a) { norm_bwd(a); }
void layer_norm_again(Cpu&, const LayerNormAgain& a) { norm_again(a); }

}  // namespace keel::kernel
