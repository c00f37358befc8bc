#!/usr/bin/env python3
"""Writes tests/golden/linears.safetensors: PyTorch's weight_norm (dim 0) with its gradients, and
sigma-reparametrised weights by torch.linalg.svd, gradients by autograd through the singular value.

    python3 tools/make_golden_linears.py          (needs torch and safetensors)
"""
import pathlib

import torch
from safetensors.torch import save_file
from torch.nn.utils.parametrizations import weight_norm

ROWS, COLUMNS = 12, 7

torch.manual_seed(0)
out = {}


def keep(prefix, **tensors):
    for name, t in tensors.items():
        out[f"{prefix}.{name}"] = t.detach().float().contiguous()


v = torch.randn(ROWS, COLUMNS).double()
g = torch.rand(ROWS, 1).double() + 0.5
dy = torch.randn(ROWS, COLUMNS).double()
layer = weight_norm(torch.nn.Linear(COLUMNS, ROWS, bias=False).double())
layer.parametrizations.weight.original0.data.copy_(g)
layer.parametrizations.weight.original1.data.copy_(v)
dg, dv = torch.autograd.grad((layer.weight * dy).sum(),
                             [layer.parametrizations.weight.original0,
                              layer.parametrizations.weight.original1])
keep("weight_norm", v=v, g=g.flatten(), dy=dy, y=layer.weight, dg=dg.flatten(), dv=dv)

w = torch.randn(ROWS, COLUMNS).double().requires_grad_()
gamma = torch.tensor([1.7], dtype=torch.float64, requires_grad=True)
u = torch.linalg.svd(w.detach())[2][0]
y = gamma / torch.linalg.matrix_norm(w, 2) * w
dw, dgamma = torch.autograd.grad((y * dy).sum(), [w, gamma])
keep("sigma_reparam", w=w, gamma=gamma, u=u, dy=dy, y=y, dw=dw, dgamma=dgamma)

save_file(out, pathlib.Path(__file__).parent.parent / "tests/golden/linears.safetensors")
