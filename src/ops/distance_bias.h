// Biases of attention scores that depend on the distance from query to key alone, in the layout in
// which attention reads them (AttentionArgs::distance_bias): f32 [heads, kDistancePad + n +
// kDistancePad], entry kDistancePad + d for distance d. The T x T matrix never exists.
#pragma once

#include <vector>

#include "autograd/var.h"

namespace keel {

// ALiBi (Press et al., arXiv 2108.12409): -m_h d, no parameters. The slopes m_h are 2^(-8 h / H),
// h = 1 .. H, for a power of two; else those of the next lower power of two, followed by every
// other one of the next higher.
std::vector<double> alibi_slopes(int64_t heads);
Tensor alibi_bias(int64_t heads, int64_t n, DeviceKind device);

// T5's buckets of the causal direction (Raffel et al., arXiv 1910.10683; mesh_tensorflow):
// distances below half the buckets have one each, the others share the rest in logarithmic steps up
// to max_distance; all beyond are in the last. i32 [n].
int64_t t5_bucket(int64_t distance, int64_t buckets, int64_t max_distance);
Tensor t5_buckets(int64_t n, int64_t buckets, int64_t max_distance, DeviceKind device);

// The bias of a table [heads, buckets] f32 or bf16: bias[h][d] = table[h][buckets[d]].
Var bucket_bias(const Var& table, const Tensor& buckets);

namespace kernel {
struct BucketBiasFwd {
  Tensor table, buckets, y;
};
struct BucketBiasBwd {
  Tensor dy, buckets;
  Grad dtable;  // f32
};
void bucket_bias_fwd(Cpu&, const BucketBiasFwd&);
void bucket_bias_bwd(Cpu&, const BucketBiasBwd&);
}  // namespace kernel

}  // namespace keel
