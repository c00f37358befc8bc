#!/usr/bin/env python3
"""Writes tests/golden/head.safetensors: losses of an output head with a soft cap, label smoothing,
z-loss and a bias, and their gradients, from PyTorch.

    python3 tools/make_golden_head.py          (needs torch and safetensors)
"""
import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

ROWS, DIM, VOCAB, CAP, SMOOTHING, Z_LOSS = 24, 16, 61, 5.0, 0.1, 1e-2

torch.manual_seed(0)
x = torch.randn(ROWS, DIM, dtype=torch.float64)
weight = torch.randn(VOCAB, DIM, dtype=torch.float64)
targets = torch.randint(0, VOCAB, (ROWS,))
out = {"x": x.float(), "weight": weight.float(), "targets": targets.int()}
out["bias"] = torch.randn(VOCAB)
x, weight, bias = (out[k].double().requires_grad_() for k in ("x", "weight", "bias"))

for name, cap, smoothing, z_loss in [("smoothing", 0, SMOOTHING, 0), ("z_loss", 0, 0, Z_LOSS),
                                     ("softcap", CAP, 0, 0), ("all", CAP, SMOOTHING, Z_LOSS),
                                     ("bias", 0, 0, 0), ("all_bias", CAP, SMOOTHING, Z_LOSS)]:
    with_bias = name.endswith("bias")
    logits = F.linear(x, weight, bias if with_bias else None)
    if cap:
        logits = cap * torch.tanh(logits / cap)
    rows = F.cross_entropy(logits, targets, reduction="none")
    loss = F.cross_entropy(logits, targets, label_smoothing=smoothing)
    loss = loss + z_loss * logits.logsumexp(-1).square().mean()
    wanted = {"dx": x, "dweight": weight} | ({"dbias": bias} if with_bias else {})
    gradients = torch.autograd.grad(loss, list(wanted.values()))
    values = [("rows", rows), ("loss", loss.reshape(1)), *zip(wanted, gradients)]
    for key, value in values:
        out[f"{name}.{key}"] = value.detach().float().contiguous()

save_file(out, pathlib.Path(__file__).parent.parent / "tests/golden/head.safetensors")
