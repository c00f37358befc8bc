#include "nn/attention/qkv_bias.h"

#include "ops/join.h"

namespace keel {

QkvBias::QkvBias(Parameters& p, const std::string& name, const AttentionBias& sites, int64_t q,
                 int64_t kv)
    : q_size_(q), kv_size_(kv), device_(p.device()) {
  const std::string q_name = name + ".q.bias", k_name = name + ".k.bias", v_name = name + ".v.bias";
  if (sites.q && sites.k && sites.v) {
    all_ = p.add_stack(
        {{q_name, {q}, Role::kBias}, {k_name, {kv}, Role::kBias}, {v_name, {kv}, Role::kBias}});
    return;
  }
  if (sites.q) q_ = p.add(q_name, {q}, Role::kBias);
  if (sites.k) k_ = p.add(k_name, {kv}, Role::kBias);
  if (sites.v) v_ = p.add(v_name, {kv}, Role::kBias);
}

Var QkvBias::var() const {
  if (all_) return all_.var();
  if (!q_ && !k_ && !v_) return {};
  return join({q_.var(), q_size_}, {k_.var(), kv_size_}, {v_.var(), kv_size_}, device_);
}

}  // namespace keel
