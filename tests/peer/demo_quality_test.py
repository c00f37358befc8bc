"""The demo's model learns as well as the same one in PyTorch: the mean validation loss of three
seeds is within 0.02 nats of the peer's, with the same model, text, steps, optimizer and schedule.
usage: demo_quality_test.py KEEL        Environment: QUALITY_STEPS (2000, the demo's)."""
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import tomllib

import torch
from torch import nn

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "bench", "peer"))
from torch_train import Decoder  # noqa: E402

STEPS = int(os.environ.get("QUALITY_STEPS", "2000"))
RATE, WARMUP, SPLIT, WITHIN, VOCAB = 3e-3, STEPS // 20, 0.05, 0.02, 257
SEEDS = (0, 1, 2)


def bible(folder):
    path = os.path.join(folder, "kjv.txt")
    with open(path, "wb") as f:
        subprocess.run(["bible", "-f", "gen1:1-rev99:99"], stdin=subprocess.DEVNULL, stdout=f,
                       check=True)
    return path


def ours(keel, folder, text, seed):
    done = subprocess.run(
        [keel, "train", os.path.join(ROOT, "configs/tiny.toml"), "--out",
         os.path.join(folder, f"run{seed}"), "--json", "--set", "data.kind=text",
         "--set", f"data.path={text}", "--set", f"train.steps={STEPS}",
         "--set", f"train.seed={seed}", "--set", f"optim.lr={RATE}",
         "--set", f"schedule.warmup={WARMUP}", "--set", f"data.split={SPLIT}",
         "--set", "eval.every=0", "--set", "sample.tokens=0"],
        check=True, capture_output=True, text=True)
    return json.loads(done.stdout.strip().splitlines()[-1])["val_loss"]


def rate_at(step):
    if step < WARMUP:
        return (step + 1) / WARMUP
    part = (step - WARMUP) / (STEPS - WARMUP)
    return 0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * part))


def theirs(config, tokens, seed):
    torch.manual_seed(seed)
    c, batch = dict(config["model"], vocab=VOCAB), config["train"]["batch"]
    hidden = 8 * round(8 / 3 * c["dim"] / 8)
    c["ffn"] = {"hidden": hidden}
    context = c["context"]
    train, valid = tokens[:-int(SPLIT * len(tokens))], tokens[-int(SPLIT * len(tokens)):]
    model = Decoder(c)
    groups = [{"params": [p for p in model.parameters() if p.dim() > 1], "weight_decay": 0.1},
              {"params": [p for p in model.parameters() if p.dim() == 1], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=RATE, betas=(0.9, 0.95), eps=1e-8)
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = RATE * rate_at(step)
        starts = torch.randint(len(train) - context - 1, (batch,))
        rows = torch.stack([train[s:s + context + 1] for s in starts])
        loss = model(rows[:, :-1], rows[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    windows = (len(valid) - 1) // context
    inputs = valid[:windows * context].view(windows, context)
    targets = valid[1:windows * context + 1].view(windows, context)
    with torch.no_grad():
        parts = [(model(inputs[i:i + 64], targets[i:i + 64]).item(), len(inputs[i:i + 64]))
                 for i in range(0, windows, 64)]
    return sum(loss * n for loss, n in parts) / windows


def main(keel):
    with open(os.path.join(ROOT, "configs/tiny.toml"), "rb") as f:
        config = tomllib.load(f)
    with tempfile.TemporaryDirectory() as folder:
        text = bible(folder)
        with open(text, "rb") as f:
            tokens = torch.tensor(list(f.read()), dtype=torch.long)
        mine = [ours(keel, folder, text, s) for s in SEEDS]
    peer = [theirs(config, tokens, s) for s in SEEDS]
    print(f"validation loss after {STEPS} steps: keel {statistics.mean(mine):.4f} {mine}, "
          f"PyTorch {statistics.mean(peer):.4f} {peer}")
    assert abs(statistics.mean(mine) - statistics.mean(peer)) < WITHIN


if __name__ == "__main__":
    main(*sys.argv[1:])
