"""Makes tests/golden/optim.safetensors and tests/golden/cross_entropy.safetensors with PyTorch.

Usage: python3 tools/make_golden_optim.py [FOLDER]   (needs torch and safetensors)
"""

import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

STEPS, WARMUP, PEAK, FINAL, CLIP = 10, 3, 1e-2, 0.1, 1.0
BETAS, EPS = (0.9, 0.95), 1e-8


def warm_cosine(optimizer):
    """Linear from PEAK / WARMUP, then half a cosine to FINAL * PEAK in step STEPS."""
    rise = torch.optim.lr_scheduler.LinearLR(optimizer, 1 / WARMUP, 1.0, WARMUP - 1)
    fall = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS - WARMUP, PEAK * FINAL)
    return torch.optim.lr_scheduler.SequentialLR(optimizer, [rise, fall], [WARMUP])


def one_cycle(optimizer, peak=PEAK):
    """Up over 3 steps and down over 7, in PyTorch's count of points; momentum the other way."""
    return torch.optim.lr_scheduler.OneCycleLR(
        optimizer, peak, total_steps=STEPS + 1, pct_start=4 / (STEPS + 1), div_factor=25,
        final_div_factor=1e4, cycle_momentum=True, base_momentum=0.85, max_momentum=0.95)


def momentum(optimizer):
    group = optimizer.param_groups[0]
    return group["betas"][0] if "betas" in group else group["momentum"]


def adamw(matrix, vector, decay):
    groups = [{"params": [matrix], "weight_decay": decay}, {"params": [vector], "weight_decay": 0}]
    return [torch.optim.AdamW(groups, lr=PEAK, betas=BETAS, eps=EPS)]


def sgd(matrix, vector, decay):
    groups = [{"params": [matrix], "weight_decay": decay}, {"params": [vector], "weight_decay": 0}]
    return [torch.optim.SGD(groups, lr=PEAK, momentum=0.9, nesterov=True)]


def muon(matrix, vector, decay):
    """The matrix by Muon, the vector by AdamW."""
    return [torch.optim.Muon([matrix], lr=PEAK, weight_decay=decay),
            torch.optim.AdamW([vector], lr=PEAK, betas=BETAS, eps=EPS, weight_decay=0)]


def newton_schulz_f32(grad, coefficients, steps, eps):
    """What torch.optim.Muon does in bf16."""
    a, b, c = coefficients
    x = grad.T if grad.size(0) > grad.size(1) else grad
    x = x / x.norm().clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if grad.size(0) > grad.size(1) else x


def updates(out, name, make, decay, independent=False, schedule=warm_cosine):
    """Ten updates of a matrix (with decay) and a vector (without), the clip active in some."""
    torch.manual_seed(1)
    matrix = torch.nn.Parameter(torch.randn(7, 5))
    vector = torch.nn.Parameter(torch.randn(5))
    optimizers = make(matrix, vector, decay)
    schedules = [schedule(o) for o in optimizers]
    optimizer = optimizers[0]
    out[f"{name}.matrix.start"] = matrix.detach().clone()
    out[f"{name}.vector.start"] = vector.detach().clone()
    kept = {k: [] for k in ("matrix.grad", "vector.grad", "matrix", "vector", "norm", "rate")}
    if schedule is one_cycle:
        kept["momentum"] = []
    for step in range(STEPS):
        size = 0.02 if step % 3 == 2 else 1.5
        matrix.grad, vector.grad = size * torch.randn(7, 5), size * torch.randn(5)
        kept["matrix.grad"].append(matrix.grad.clone())
        kept["vector.grad"].append(vector.grad.clone())
        kept["norm"].append(torch.nn.utils.clip_grad_norm_([matrix, vector], CLIP))
        rate = optimizer.param_groups[0]["lr"]
        kept["rate"].append(torch.tensor(rate, dtype=torch.float64))
        if "momentum" in kept:
            kept["momentum"].append(torch.tensor(momentum(optimizer), dtype=torch.float64))
        if independent:  # the rate times this is the schedule's factor times `decay`
            optimizer.param_groups[0]["weight_decay"] = decay / PEAK
        for o, s in zip(optimizers, schedules):
            o.step()
            s.step()
        kept["matrix"].append(matrix.detach().clone())
        kept["vector"].append(vector.detach().clone())
    for key, values in kept.items():
        out[f"{name}.{key}"] = torch.stack(values)


def schedules(out):
    """Factors of 14 steps of schedules that are 10 long."""

    def factors(make, read=lambda o: o.param_groups[0]["lr"]):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0, momentum=0.5)
        schedule = make(optimizer)
        values = []
        for step in range(14):
            values.append(read(optimizer))
            optimizer.step()
            if step < 10:  # PyTorch's cosine would rise again
                schedule.step()
        return torch.tensor(values, dtype=torch.float64)

    lr = torch.optim.lr_scheduler
    out["schedule.cosine"] = factors(lambda o: lr.CosineAnnealingLR(o, 10, FINAL))
    out["schedule.linear"] = factors(lambda o: lr.LinearLR(o, 1.0, FINAL, 10))
    out["schedule.one_cycle"] = factors(lambda o: one_cycle(o, 1.0))
    out["schedule.one_cycle.momentum"] = factors(lambda o: one_cycle(o, 1.0), momentum)
    out["schedule.constant"] = factors(lambda o: lr.LinearLR(o, 0.25, 1.0, 3))


def cross_entropy(out):
    """A head of 37 ids over 24 rows of 16; row 5 is ignored, row 6 counts double."""
    torch.manual_seed(2)
    x = torch.randn(24, 16, requires_grad=True)
    weight = torch.randn(37, 16, requires_grad=True)
    targets = torch.randint(37, (24,))
    weights = torch.ones(24)
    weights[5], weights[6] = 0, 2
    rows = F.cross_entropy(x @ weight.T, targets, reduction="none")
    loss = (rows * weights).sum() / weights.sum()
    loss.backward()
    out.update(x=x.detach(), weight=weight.detach(), targets=targets.int(), weights=weights,
               rows=rows.detach(), loss=loss.detach(), dx=x.grad, dweight=weight.grad)


def main():
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent / "tests/golden")
    optim, head = {}, {}
    torch.optim._muon._zeropower_via_newtonschulz = newton_schulz_f32
    updates(optim, "rate", adamw, 0.1)
    updates(optim, "independent", adamw, 0.01, independent=True)
    updates(optim, "sgd", sgd, 0.1)
    updates(optim, "one_cycle", adamw, 0.1, schedule=one_cycle)
    updates(optim, "one_cycle_sgd", sgd, 0.1, schedule=one_cycle)
    updates(optim, "muon", muon, 0.1)
    schedules(optim)
    cross_entropy(head)
    about = {"made by": "tools/make_golden_optim.py", "torch": torch.__version__.split("+")[0]}
    save_file(optim, folder / "optim.safetensors", about)
    save_file(head, folder / "cross_entropy.safetensors", about)


if __name__ == "__main__":
    main()
