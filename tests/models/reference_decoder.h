// A decoder as plain loops over complex numbers: what Decoder computes in training, written once
// more from the papers' formulas, and by the complex step every gradient to the last digit. Maxima
// and cuts take the branch of the real part. One row of tokens, one document, no dropout: that
// draws numbers of its own, which the tests of its ops count off.
#pragma once

#include <complex>
#include <map>
#include <string>
#include <vector>

#include "models/decoder.h"
#include "nn/attention/softmax.h"

namespace keel::test {

// What the task adds to the loss of a target.
struct LossTerms {
  double z_loss = 0, smoothing = 0;
};

class ReferenceDecoder {
 public:
  using C = std::complex<double>;
  using Row = std::vector<C>;
  using Rows = std::vector<Row>;  // [time][channel]

  // Takes the parameters of `model`, and the singular vectors that its next step begins with, as
  // they are. BatchNorm as in training.
  ReferenceDecoder(const Decoder& model, std::vector<int32_t> tokens, std::vector<int32_t> targets,
                   const LossTerms& terms);

  // Mean over the targets, nats, with everything that training adds to it.
  C loss() const;
  // d loss / d some values of a parameter, spread over it: their places and the derivatives.
  std::map<size_t, double> gradient(const std::string& name);
  // d loss along a direction of all values of a parameter.
  double slope(const std::string& name, const std::vector<float>& direction);

 private:
  // A layer's queries, keys and values [time][head and channel], and those that score distances.
  struct Projected {
    Rows q, k, v;
    Rows distance_q = {}, distance_k = {};
  };

  const Row* find(const std::string& name) const;
  const SoftmaxMixer::Config& softmax() const;
  size_t heads() const { return static_cast<size_t>(config_.heads); }
  size_t head_dim() const { return static_cast<size_t>(config_.head_dim_in_force()); }

  Row weight(const std::string& name) const;
  Rows linear(const Rows& x, const std::string& name) const;
  Rows embedded() const;
  void block(Rows& x, Rows& dual, C& penalty, int64_t layer) const;
  C target_loss(Row logits, int32_t target) const;

  Rows norm(const Rows& x, const std::string& name, double scale = 1) const;
  Row normed_row(const Row& x, const std::string& name) const;
  Rows batch_normed(const Rows& x) const;
  void scale_and_shift(Row& x, const std::string& name, double base = 0) const;
  Rows residual(Rows branch, const std::string& name) const;
  Rows ffn(const Rows& x, const std::string& name) const;

  // reference_attention.cc. `penalty` is added to: what the entropy of this layer's weights costs.
  Rows attention(const Rows& x, const std::string& name, C& penalty) const;
  Projected project(const Rows& x, const std::string& name) const;
  Rows project_part(const Rows& x, const std::string& name, const std::string& part) const;
  void norm_heads(Row& x, const std::string& name) const;
  C score(const Projected& p, C scale, size_t head, size_t t, size_t j) const;
  C score_scale(const std::string& name, size_t head) const;
  C distance_bias(size_t head, size_t distance) const;
  Row weights(const Projected& p, const std::string& name, size_t head, size_t t) const;
  void gate(Rows& o, const Rows& x, const std::string& name) const;

  ModelConfig config_;
  std::vector<int32_t> tokens_, targets_;
  LossTerms terms_;
  std::map<std::string, Row> values_;
  std::map<std::string, std::vector<double>> singular_;  // u of sigma-reparametrised linears
};

// a + b; a row b is added to every row.
ReferenceDecoder::Rows plus(ReferenceDecoder::Rows a, const ReferenceDecoder::Row& b);
// Position p of the fixed waves of `dim` channels, an even number.
ReferenceDecoder::Row sinusoid(size_t p, size_t dim, bool concatenated);

// Loss and gradients of a training step of a tiny decoder against the reference.
void check_decoder(const std::vector<std::string>& sets, const LossTerms& terms = {});

}  // namespace keel::test
