"""Makes tests/golden/models_gpt2.safetensors and tests/golden/models_llama.safetensors: 20 steps of
training of two small decoders with PyTorch.

Usage: python3 tools/make_golden_models.py [FOLDER]   (needs torch and safetensors)
"""

import math
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

DIM, LAYERS, HEADS, VOCAB, CONTEXT, BATCH = 32, 2, 4, 64, 16, 4
STEPS, WARMUP, PEAK, FINAL, CLIP, DECAY, EPS = 20, 5, 1e-2, 0.1, 0.7, 0.1, 1e-5


def linear(p, name, x):
    return F.linear(x, p[name + ".weight"], p.get(name + ".bias"))


def heads(x, n):
    return x.view(*x.shape[:-1], n, x.shape[-1] // n).transpose(1, 2)


def attend(q, k, v):
    y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    return y.transpose(1, 2).flatten(2)


class Gpt2:
    """LayerNorm and all linears with bias, learned positions, tanh GELU, tied head."""

    def shapes(self):
        s = {"embedding.weight": (VOCAB, DIM), "positions.weight": (CONTEXT, DIM)}
        for i in range(LAYERS):
            b = f"blocks.{i}."
            for n in ("attention_norm", "ffn_norm"):
                s |= {f"{b}{n}.gain": (DIM,), f"{b}{n}.bias": (DIM,)}
            for n, rows, columns in [("attention." + m, DIM, DIM) for m in ("q", "k", "v", "out")] + [
                ("ffn.up", 4 * DIM, DIM), ("ffn.down", DIM, 4 * DIM)]:
                s |= {f"{b}{n}.weight": (rows, columns), f"{b}{n}.bias": (rows,)}
        return s | {"final_norm.gain": (DIM,), "final_norm.bias": (DIM,)}

    def norm(self, p, name, x):
        return F.layer_norm(x, (DIM,), p[name + ".gain"], p[name + ".bias"], EPS)

    def logits(self, p, tokens):
        x = p["embedding.weight"][tokens] + p["positions.weight"][: tokens.shape[1]]
        for i in range(LAYERS):
            b = f"blocks.{i}."
            h = self.norm(p, b + "attention_norm", x)
            q, k, v = (heads(linear(p, f"{b}attention.{n}", h), HEADS) for n in "qkv")
            x = x + linear(p, b + "attention.out", attend(q, k, v))
            h = self.norm(p, b + "ffn_norm", x)
            x = x + linear(p, b + "ffn.down", F.gelu(linear(p, b + "ffn.up", h), approximate="tanh"))
        return self.norm(p, "final_norm", x) @ p["embedding.weight"].T


class Llama:
    """RMSNorm, no bias, RoPE, RMS norm of each query and key head, grouped queries, SwiGLU, own head."""

    KV, HIDDEN = 2, 88

    def shapes(self):
        s, kv = {"embedding.weight": (VOCAB, DIM)}, DIM // HEADS * self.KV
        for i in range(LAYERS):
            b = f"blocks.{i}."
            s |= {f"{b}{n}.gain": (DIM,) for n in ("attention_norm", "ffn_norm")}
            s |= {f"{b}attention.{n}_norm.gain": (DIM // HEADS,) for n in "qk"}
            for n, rows, columns in [("attention.q", DIM, DIM), ("attention.k", kv, DIM),
                                     ("attention.v", kv, DIM), ("attention.out", DIM, DIM),
                                     ("ffn.gate", self.HIDDEN, DIM), ("ffn.up", self.HIDDEN, DIM),
                                     ("ffn.down", DIM, self.HIDDEN)]:
                s[f"{b}{n}.weight"] = (rows, columns)
        return s | {"final_norm.gain": (DIM,), "head.weight": (VOCAB, DIM)}

    def rope(self, x):
        half = x.shape[-1] // 2
        rate = 10000.0 ** (-torch.arange(half, dtype=torch.float64) / half)
        angle = torch.arange(x.shape[-2], dtype=torch.float64)[:, None] * rate
        cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
        a, b = x[..., :half], x[..., half:]
        return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)

    def logits(self, p, tokens):
        x = p["embedding.weight"][tokens]
        for i in range(LAYERS):
            b = f"blocks.{i}."
            h = F.rms_norm(x, (DIM,), p[b + "attention_norm.gain"], EPS)
            q = heads(linear(p, b + "attention.q", h), HEADS)
            k, v = (heads(linear(p, f"{b}attention.{n}", h), self.KV) for n in "kv")
            q, k = (self.rope(F.rms_norm(y, y.shape[-1:], p[f"{b}attention.{n}_norm.gain"], EPS))
                    for y, n in ((q, "q"), (k, "k")))
            k, v = (y.repeat_interleave(HEADS // self.KV, 1) for y in (k, v))
            x = x + linear(p, b + "attention.out", attend(q, k, v))
            h = F.rms_norm(x, (DIM,), p[b + "ffn_norm.gain"], EPS)
            x = x + linear(p, b + "ffn.down",
                           F.silu(linear(p, b + "ffn.gate", h)) * linear(p, b + "ffn.up", h))
        return F.linear(F.rms_norm(x, (DIM,), p["final_norm.gain"], EPS), p["head.weight"])


def first_values(shapes):
    """Larger than a default initialisation, so that attention and all gains matter."""
    start = {}
    for name, shape in shapes.items():
        noise = torch.randn(shape)
        if name.endswith(".gain"):
            start[name] = 1 + 0.2 * noise
        elif name.endswith(".bias"):
            start[name] = 0.1 * noise
        else:
            start[name] = noise * (0.3 if name.startswith(("embedding", "head")) else 0.2)
    return start


def token_lanes():
    """BATCH lanes, each long enough for STEPS windows, in a row; and one token to end with."""
    ids = [5]
    for _ in range(BATCH * STEPS * CONTEXT):
        noise = int(torch.randint(4, (1,)))
        ids.append((3 * ids[-1] + 7 + noise * noise) % VOCAB)
    return torch.tensor(ids)


def batch(tokens, step):
    begin = torch.tensor([(lane * STEPS + step) * CONTEXT for lane in range(BATCH)])
    at = begin[:, None] + torch.arange(CONTEXT)
    return tokens[at], tokens[at + 1]


def train(model, start, tokens, dtype):
    p = {n: torch.nn.Parameter(t.clone().to(dtype)) for n, t in start.items()}
    groups = [{"params": [t for t in p.values() if t.ndim > 1], "weight_decay": DECAY},
              {"params": [t for t in p.values() if t.ndim == 1], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=PEAK, betas=(0.9, 0.95), eps=1e-8)
    lr = torch.optim.lr_scheduler
    schedule = lr.SequentialLR(
        optimizer, [lr.LinearLR(optimizer, 1 / WARMUP, 1.0, WARMUP - 1),
                    lr.CosineAnnealingLR(optimizer, STEPS - WARMUP, PEAK * FINAL)], [WARMUP])
    out, losses, norms = {}, [], []
    for step in range(STEPS):
        inputs, targets = batch(tokens, step)
        optimizer.zero_grad()
        logits = model.logits(p, inputs)
        loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        loss.backward()
        if step == 0:
            out["logits"] = logits.detach().clone()
            out |= {"grad/" + n: t.grad.clone() for n, t in p.items()}
        losses.append(loss.item())
        norms.append(torch.nn.utils.clip_grad_norm_(list(p.values()), CLIP).item())
        optimizer.step()
        schedule.step()
    out["losses"] = torch.tensor(losses, dtype=torch.float64)
    out["norms"] = torch.tensor(norms, dtype=torch.float64)
    return out


def main():
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent / "tests/golden")
    torch.set_num_threads(1)
    for name, model in (("gpt2", Gpt2()), ("llama", Llama())):
        torch.manual_seed(7)
        start, tokens = first_values(model.shapes()), token_lanes()
        out = train(model, start, tokens, torch.float32)
        exact = train(model, start, tokens, torch.float64)
        off = ((out["losses"] - exact["losses"]) / exact["losses"]).abs().max().item()
        print(f"{name}: loss {out['losses'][0]:.4f} to {out['losses'][-1]:.4f}, at most {off:.1e} "
              f"from f64, clip active in {int((out['norms'] > CLIP).sum())} of {STEPS} steps")
        assert math.isfinite(off) and off < 1e-5
        out |= {"start/" + n: t for n, t in start.items()}
        out["tokens"] = tokens.int()
        about = {"made by": "tools/make_golden_models.py", "torch": torch.__version__.split("+")[0]}
        save_file(out, folder / f"models_{name}.safetensors", about)


if __name__ == "__main__":
    main()
