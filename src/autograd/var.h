// Autograd for ops, first order: record() keeps an op's gradient closure, rebuild_with() says how a
// value is made again, backward() computes gradients.
//
// Gradients: the first op that contributes to a gradient writes it (Grad::add is false), later ones
// add. So nothing is zeroed beforehand.
#pragma once

#include <initializer_list>
#include <new>
#include <type_traits>

#include "autograd/tape.h"

namespace keel {

bool any_gradient(std::span<const Var> inputs);

// Puts `backward(Node&)` on the tape if a gradient is wanted by any input; gives outputs a slot.
// The node (which most ops ignore) lives until backward has passed it; null: nothing was recorded.
template <class F>
Node* record(const char* name, std::initializer_list<Var*> outputs,
             std::initializer_list<Var> inputs, F&& backward) {
  Tape& tape = Tape::current();
  const std::span<const Var> in(inputs.begin(), inputs.size());
  if (!tape.recording() || !any_gradient(in)) return nullptr;
  using Fn = std::decay_t<F>;
  Node* n = tape.new_node(name, std::span<Var* const>(outputs.begin(), outputs.size()), in);
  void* memory = tape.memory(sizeof(Fn), alignof(Fn));
  tape.set_closure(
      n, new (memory) Fn(std::forward<F>(backward)),
      [](void* f, Node& node) { (*static_cast<Fn*>(f))(node); },
      [](void* f) { static_cast<Fn*>(f)->~Fn(); });
  return n;
}

// For the common op with one output: y with its gradient closure.
template <class F>
Var record(const char* name, Tensor y, std::initializer_list<Var> inputs, F&& backward) {
  Var out(std::move(y));
  record(name, {&out}, inputs, std::forward<F>(backward));
  return out;
}

// Tells the tape how to make y's value again, so that ops which need it in backward keep nothing:
// for cheap functions (norm, gate) of values that are kept anyway. fn returns a Tensor with the
// same bits each time and captures what it reads. Does nothing for a value that is small enough to
// keep.
template <class F>
void rebuild_with(const Var& y, F&& fn) {
  Tape& tape = Tape::current();
  if (!y.slot || y.t.bytes() < tape.rebuild_from_bytes()) return;
  using Fn = std::decay_t<F>;
  void* memory = tape.memory(sizeof(Fn), alignof(Fn));
  tape.set_rebuild(
      y.slot, new (memory) Fn(std::forward<F>(fn)),
      [](void* f) {
        NoGrad off;
        return Tensor((*static_cast<Fn*>(f))());
      },
      [](void* f) { static_cast<Fn*>(f)->~Fn(); });
}

// y = fn(inputs...), recorded as usual, its value recomputed in backward instead of kept, whatever
// its size.
template <class F, class... Inputs>
Var recompute(F&& fn, const Inputs&... inputs) {
  Var y = fn(inputs...);
  const RebuildFrom any(0);
  rebuild_with(y, [fn, inputs...] { return fn(inputs...).t; });
  return y;
}

// Gradients of a loss (its own gradient is `seed`, ones of one element if empty) into the slots.
void backward(const Var& loss, const Tensor& seed = {});

}  // namespace keel
