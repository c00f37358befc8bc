#!/usr/bin/env python3
"""Writes tests/golden/attention.safetensors: values and gradients of PyTorch's attention.

Needs torch and safetensors. Computed in double precision from f32 inputs, stored as f32. Layout
[batch, time, heads, head_dim]; each case has q k v dy o lse dq dk dv, the masked ones also the
first visible key of each query (start).
"""
import pathlib

import torch
from safetensors.torch import save_file

# name: batch, tq, tk, heads, kv_heads, head_dim, query offset, window, segments
CASES = {
    "causal": (2, 17, 17, 2, 2, 8, 0, 0, False),
    "grouped": (1, 67, 67, 4, 2, 12, 0, 0, False),
    "cached": (2, 5, 70, 3, 1, 16, 65, 0, False),
    "masked": (2, 35, 35, 2, 1, 20, 0, 9, True),
}


def visible(tq, tk, offset, window, start):
    p = torch.arange(tq)[:, None] + offset
    j = torch.arange(tk)[None, :]
    see = j <= p
    if window:
        see &= p - j < window
    return see[None] & (j[None] >= start[:, :, None])


def case(shape):
    batch, tq, tk, heads, kv, hd, offset, window, segments = shape
    q, dy = (torch.randn(batch, tq, heads, hd) for _ in range(2))
    k, v = (torch.randn(batch, tk, kv, hd) for _ in range(2))
    start = torch.zeros(batch, tq, dtype=torch.int64)
    if segments:
        start[0] = torch.arange(tq) // 11 * 11
        start[1] = (torch.arange(tq) - 3).clamp(min=0) // 16 * 16 + 3
        start[1, :3] = 0
    x = [t.double().transpose(1, 2).requires_grad_() for t in (q, k, v)]
    see = visible(tq, tk, offset, window, start)[:, None]
    o = torch.nn.functional.scaled_dot_product_attention(*x, attn_mask=see, enable_gqa=heads != kv)
    o.backward(dy.double().transpose(1, 2))
    scores = x[0] @ x[1].repeat_interleave(heads // kv, 1).transpose(2, 3) / hd**0.5
    lse = scores.masked_fill(~see, float("-inf")).logsumexp(-1)
    out = {"q": q, "k": k, "v": v, "dy": dy, "o": o.transpose(1, 2), "lse": lse}
    out |= {name: t.grad.transpose(1, 2) for name, t in zip(("dq", "dk", "dv"), x)}
    if segments:
        out["start"] = start.int()
    return out


def main():
    torch.manual_seed(3)
    tensors = {}
    for name, shape in CASES.items():
        for key, t in case(shape).items():
            t = t.detach()
            tensors[f"{name}.{key}"] = (t if t.dtype == torch.int32 else t.float()).contiguous()
    path = pathlib.Path(__file__).parent.parent / "tests/golden/attention.safetensors"
    path.parent.mkdir(exist_ok=True)
    save_file(tensors, path, {"torch": torch.__version__})
    print(path, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
