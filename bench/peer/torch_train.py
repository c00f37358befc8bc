"""The peer of `keel bench`: the same model, optimizer and step in PyTorch, timed in one process.

Prints one JSON object: tokens_per_second (median step), peak_rss_bytes (VmHWM), seconds_to_100,
first_loss, last_loss. Model: decoder with RMSNorm, RoPE (half-split), RMS QK-norm per head, SwiGLU,
tied head, no bias; fused AdamW; global clip 1; random tokens; the loss is read every step.
"""
import argparse
import json
import statistics
import sys
import time
import tomllib

import torch
import torch.nn.functional as F
from torch import nn


class RmsNorm(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(dim))

    def forward(self, x):
        return F.rms_norm(x, (x.shape[-1],), self.gain, 1e-5)


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        d, hidden = c["dim"], c["ffn"]["hidden"]
        self.heads = c["heads"]
        self.norm1, self.norm2 = RmsNorm(d), RmsNorm(d)
        qk_norm = c.get("attention", {}).get("qk_norm", {}).get("kind", "none") == "rms"
        self.q_norm = RmsNorm(d // self.heads) if qk_norm else nn.Identity()
        self.k_norm = RmsNorm(d // self.heads) if qk_norm else nn.Identity()
        self.qkv = nn.Linear(d, 3 * d, bias=False)
        self.out = nn.Linear(d, d, bias=False)
        self.gate_up = nn.Linear(d, 2 * hidden, bias=False)
        self.down = nn.Linear(hidden, d, bias=False)

    def forward(self, x, cos, sin):
        b, t, d = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(b, t, 3, self.heads, -1).unbind(2)
        q, k = rotate(self.q_norm(q), cos, sin), rotate(self.k_norm(k), cos, sin)
        y = F.scaled_dot_product_attention(
            q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(b, t, d))
        gate, up = self.gate_up(self.norm2(x)).chunk(2, dim=-1)
        return x + self.down(F.silu(gate) * up)


def rotate(x, cos, sin):
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)


class Decoder(nn.Module):
    def __init__(self, c):
        super().__init__()
        d, hd = c["dim"], c["dim"] // c["heads"]
        self.embedding = nn.Embedding(c["vocab"], d)
        self.blocks = nn.ModuleList(Block(c) for _ in range(c["layers"]))
        self.norm = RmsNorm(d)
        angle = torch.outer(torch.arange(c["context"]).double(),
                            1e4 ** (-torch.arange(0, hd, 2).double() / hd))
        self.register_buffer("cos", angle.cos().float()[:, None, :])
        self.register_buffer("sin", angle.sin().float()[:, None, :])
        for name, p in self.named_parameters():
            if p.dim() > 1:
                scale = (2 * c["layers"]) ** -0.5 if name.endswith(("out.weight", "down.weight")) else 1
                nn.init.normal_(p, std=0.02 * scale)

    def forward(self, tokens, targets):
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x, self.cos, self.sin)
        logits = F.linear(self.norm(x), self.embedding.weight)
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def peak_rss_bytes():
    with open("/proc/self/status") as f:
        for line in f:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("config")
    parser.add_argument("--mode", choices=["eager", "compile"], required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    with open(args.config, "rb") as f:
        config = tomllib.load(f)
    c, batch = config["model"], config["train"]["batch"]
    model = Decoder(c)
    parameters = list(model.parameters())
    groups = [{"params": [p for p in parameters if p.dim() > 1], "weight_decay": 0.1},
              {"params": [p for p in parameters if p.dim() == 1], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=config["optim"]["lr"], betas=(0.9, 0.95), fused=True)
    step_model = torch.compile(model) if args.mode == "compile" else model
    begin, times, losses = time.time(), [], []
    seconds_to_100 = None
    for step in range(args.steps):
        at = time.perf_counter()
        tokens = torch.randint(c["vocab"], (batch, c["context"] + 1))
        loss = step_model(tokens[:, :-1], tokens[:, 1:])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        losses.append(loss.item())
        times.append(time.perf_counter() - at)
        if step == 99:
            seconds_to_100 = time.time() - begin
    median = statistics.median(times[3:])
    print(json.dumps({
        "tokens_per_second": batch * c["context"] / median, "step_ms": 1e3 * median,
        "peak_rss_bytes": peak_rss_bytes(), "seconds_to_100": seconds_to_100,
        "first_loss": losses[0], "last_loss": statistics.mean(losses[-20:]),
        "parameters": sum(p.numel() for p in parameters), "torch": torch.__version__}))


if __name__ == "__main__":
    sys.exit(main())
