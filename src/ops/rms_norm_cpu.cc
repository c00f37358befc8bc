#include "ops/norm_cpu.h"
#include "ops/rms_norm.h"

namespace keel::kernel {

void rms_norm_fwd(Cpu&, const RmsNormFwd& a) { norm_fwd(a); }
void rms_norm_bwd(Cpu&, const RmsNormBwd& a) { norm_bwd(a); }
void rms_norm_again(Cpu&, const RmsNormAgain& a) { norm_again(a); }

}  // namespace keel::kernel
