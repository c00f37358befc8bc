#!/usr/bin/env python3
"""Writes tests/golden/ops.safetensors: values and gradients of PyTorch's ops, computed in double
precision from f32 inputs and stored as f32.

Needs torch and safetensors. For each case the inputs (CASE.in0, CASE.in1, ...), the gradient of the
output (CASE.dy), the output (CASE.y) and the gradients (CASE.d0, ...). Ids are i32 and have none.
"""
import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

EPS = 1e-5
HEADS, KV_HEADS, HEAD_DIM, BASE, OFFSET = 4, 2, 12, 10000.0, 3


def rotated(x):
    """[b, t, heads, d], pairs (i, i + d / 2) turned as complex numbers."""
    half = x.shape[-1] // 2
    position = torch.arange(x.shape[1], dtype=torch.float64) + OFFSET
    rate = BASE ** (-torch.arange(half, dtype=torch.float64) / half)
    turn = torch.polar(torch.ones(1, dtype=torch.float64), position[:, None] * rate)[:, None]
    turned = torch.complex(x[..., :half], x[..., half:]) * turn
    return torch.cat([turned.real, turned.imag], -1)


def split_qkv(norm):
    def op(qkv, q_gain, k_gain, *biases):
        q, k, v = qkv.unflatten(-1, (-1, HEAD_DIM)).split([HEADS, KV_HEADS, KV_HEADS], 2)
        if norm == "rms":
            q, k = (F.rms_norm(x, (HEAD_DIM,), g, EPS) for x, g in ((q, q_gain), (k, k_gain)))
        else:
            q, k = (F.layer_norm(x, (HEAD_DIM,), g, b, EPS)
                    for x, g, b in ((q, q_gain, biases[0]), (k, k_gain, biases[1])))
        return torch.cat([rotated(q), rotated(k), v], 2)
    return op


def gated(f):
    def op(x):
        gate, up = x.chunk(2, -1)
        return f(gate) * up
    return op


def gelu_tanh(x):
    return F.gelu(x, approximate="tanh")


def normal(*shape, center=0.0, deviation=1.0):
    return torch.randn(*shape) * deviation + center


def gains(c):
    return normal(c, center=1, deviation=0.3), normal(c, deviation=0.3)


def cases():
    x, wide = normal(7, 37, deviation=3, center=1), normal(5, 2 * 33, deviation=2)
    gain, bias = gains(37)
    yield "layer_norm", lambda a, g, b: F.layer_norm(a, (37,), g, b, EPS), [x, gain, bias]
    yield "rms_norm", lambda a, g: F.rms_norm(a, (37,), g, EPS), [x, gain]
    branch = normal(7, 37)
    yield ("add_layer_norm", lambda a, r, g, b: F.layer_norm(a + r, (37,), g, b, EPS) + (a + r),
           [x, branch, gain, bias])
    activations = {"gelu": gelu_tanh, "gelu_erf": F.gelu, "relu": F.relu, "silu": F.silu,
                   "sigmoid": torch.sigmoid, "identity": lambda a: a}
    for name, f in activations.items():
        yield name, f, [x]
        yield "gated_" + name, gated(f), [wide]
    yield "linear", F.linear, [normal(2, 9, 31), normal(13, 31), normal(13)]
    ids = torch.randint(0, 11, (2, 9), dtype=torch.int32)
    yield ("embedding", lambda i, w, p: F.embedding(i, w) + p[OFFSET:OFFSET + 9],
           [ids, normal(11, 19), normal(16, 19)])
    qkv = normal(2, 9, (HEADS + 2 * KV_HEADS) * HEAD_DIM)
    (qg, qb), (kg, kb) = gains(HEAD_DIM), gains(HEAD_DIM)
    yield "qkv_rms", split_qkv("rms"), [qkv, qg, kg]
    yield "qkv_layer", split_qkv("layer"), [qkv, qg, kg, qb, kb]


def main():
    torch.manual_seed(5)
    tensors = {}
    for name, op, inputs in cases():
        x = [t if t.dtype == torch.int32 else t.double().requires_grad_() for t in inputs]
        y = op(*x)
        dy = torch.randn(y.shape)
        y.backward(dy.double())
        tensors |= {f"{name}.y": y, f"{name}.dy": dy}
        for i, t in enumerate(x):
            tensors[f"{name}.in{i}"] = t
            if t.grad is not None:
                tensors[f"{name}.d{i}"] = t.grad
    stored = {k: (t if t.dtype == torch.int32 else t.detach().float()).contiguous().clone()
              for k, t in tensors.items()}
    path = pathlib.Path(__file__).parent.parent / "tests/golden/ops.safetensors"
    path.parent.mkdir(exist_ok=True)
    save_file(stored, path, {"torch": torch.__version__})
    print(path, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
