#include "backend/cuda/block.cuh"
#include "ops/rms_norm.h"

namespace keel::kernel {
namespace {

// One block for each row. Without a branch x is the normed value and sum is not touched.
__global__ void forward(In x, In branch, In gain, In bias, Out sum, Out y, float* rstd, float eps,
                        int64_t columns) {
  const int64_t row = int64_t{blockIdx.x} * columns;
  float squares = 0.0f;
  for (int64_t i = threadIdx.x; i < columns; i += kBlock) {
    float v = x[row + i];
    if (branch) {
      v += branch[row + i];
      sum.put(row + i, v);
    }
    squares = fmaf(v, v, squares);
  }
  const float scale = 1.0f / sqrtf(block_sum(squares) / static_cast<float>(columns) + eps);
  if (threadIdx.x == 0) rstd[blockIdx.x] = scale;
  const In normed = branch ? In{sum.data, sum.is_bf16} : x;  // each thread reads what it wrote
  for (int64_t i = threadIdx.x; i < columns; i += kBlock) {
    float v = normed[row + i] * scale;
    if (gain) v *= gain[i];
    if (bias) v += bias[i];
    y.put(row + i, v);
  }
}

__global__ void again(In x, In gain, In bias, const float* rstd, Out y, int64_t columns) {
  const int64_t row = int64_t{blockIdx.x} * columns;
  const float scale = rstd[blockIdx.x];
  for (int64_t i = threadIdx.x; i < columns; i += kBlock) {
    float v = x[row + i] * scale;
    if (gain) v *= gain[i];
    if (bias) v += bias[i];
    y.put(row + i, v);
  }
}

// dx = rstd (g dy - xhat mean(g dy xhat)), xhat = x rstd; one block for each row.
__global__ void input_gradient(In dy, In dsum, In x, In gain, const float* rstd, Out dx,
                               Out dbranch, int64_t columns) {
  const int64_t row = int64_t{blockIdx.x} * columns;
  const float scale = rstd[blockIdx.x];
  float dot = 0.0f;
  for (int64_t i = threadIdx.x; i < columns; i += kBlock) {
    const float g = gain ? dy[row + i] * gain[i] : dy[row + i];
    dot = fmaf(g, x[row + i] * scale, dot);
  }
  const float mean = block_sum(dot) / static_cast<float>(columns);
  for (int64_t i = threadIdx.x; i < columns; i += kBlock) {
    const float g = gain ? dy[row + i] * gain[i] : dy[row + i];
    float d = scale * (g - x[row + i] * scale * mean);
    if (dsum) d += dsum[row + i];
    if (dx) dx.put(row + i, d);
    if (dbranch) dbranch.put(row + i, d);
  }
}

// partial [chunks, 2, columns]: what a chunk of kNormRows rows adds to dgain and dbias. One thread
// for each column and chunk.
__global__ void partial_gradients(In dy, In x, const float* rstd, float* partial, int64_t rows,
                                  int64_t columns) {
  const int64_t j = int64_t{blockIdx.y} * kBlock + threadIdx.x;
  if (j >= columns) return;
  const int64_t begin = int64_t{blockIdx.x} * kNormRows;
  const int64_t end = min(begin + kNormRows, rows);
  float dgain = 0.0f, dbias = 0.0f;
  for (int64_t r = begin; r < end; ++r) {
    const float d = dy[r * columns + j];
    dgain = fmaf(d, x[r * columns + j] * rstd[r], dgain);
    dbias += d;
  }
  float* mine = partial + int64_t{blockIdx.x} * 2 * columns;
  mine[j] = dgain;
  mine[columns + j] = dbias;
}

__global__ void sum_chunks(const float* partial, Out dgain, Out dbias, int64_t chunks,
                           int64_t columns) {
  const int64_t j = int64_t{blockIdx.x} * kBlock + threadIdx.x;
  if (j >= columns) return;
  float gain = 0.0f, bias = 0.0f;
  for (int64_t k = 0; k < chunks; ++k) {
    gain += partial[k * 2 * columns + j];
    bias += partial[(k * 2 + 1) * columns + j];
  }
  if (dgain) dgain.put(j, gain);
  if (dbias) dbias.put(j, bias);
}

}  // namespace

void rms_norm_fwd(Cuda& dev, const RmsNormFwd& a) {
  if (a.x.size() == 0) return;
  forward<<<static_cast<unsigned>(a.x.rows()), kBlock, 0, stream_of(dev)>>>(
      in(a.x), in(a.branch), in(a.gain), in(a.bias), out(a.sum), out(a.y), a.rstd.data<float>(),
      a.eps, a.x.dim(-1));
  check_launch("rms_norm", a.x.shape());
}

void rms_norm_bwd(Cuda& dev, const RmsNormBwd& a) {
  const int64_t rows = a.x.rows(), columns = a.x.dim(-1);
  const cudaStream_t stream = stream_of(dev);
  if ((a.dx || a.dbranch) && a.x.size() > 0) {
    input_gradient<<<static_cast<unsigned>(rows), kBlock, 0, stream>>>(
        in(a.dy), in(a.dsum), in(a.x), in(a.gain), a.rstd.data<float>(), out(a.dx.t, a.dx.add),
        out(a.dbranch.t, a.dbranch.add), columns);
  }
  if (a.partial && columns > 0) {
    const int64_t chunks = a.partial.dim(0);
    if (chunks > 0) {
      const dim3 grid(static_cast<unsigned>(chunks), blocks_for(columns));
      partial_gradients<<<grid, kBlock, 0, stream>>>(in(a.dy), in(a.x), a.rstd.data<float>(),
                                                     a.partial.data<float>(), rows, columns);
    }
    sum_chunks<<<blocks_for(columns), kBlock, 0, stream>>>(
        a.partial.data<float>(), out(a.dgain.t, a.dgain.add), out(a.dbias.t, a.dbias.add), chunks,
        columns);
  }
  check_launch("rms_norm's gradient", a.x.shape());
}

void rms_norm_again(Cuda& dev, const RmsNormAgain& a) {
  if (a.x.size() == 0) return;
  again<<<static_cast<unsigned>(a.x.rows()), kBlock, 0, stream_of(dev)>>>(
      in(a.x), in(a.gain), in(a.bias), a.rstd.data<float>(), out(a.y), a.x.dim(-1));
  check_launch("rms_norm", a.x.shape());
}

}  // namespace keel::kernel
