"""A sweep drives a trainer written with PyTorch: rates that train, one that diverges, its losses read
from CSV and from TensorBoard's event files. usage: external_sweep_test.py KEEL"""
import json
import os
import subprocess
import sys
import tempfile

STEPS = 80
TRAINER = '''
import csv, sys
import torch
from torch.utils.tensorboard import SummaryWriter

rate, seed, out = float(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
STEPS = %d
torch.set_num_threads(1)
torch.manual_seed(seed)
# Tokens that follow each other in a circle, three times out of four.
noise = torch.Generator().manual_seed(0)
def batch(n):
    x = torch.randint(0, 16, (n,), generator=noise)
    y = torch.where(torch.rand(n, generator=noise) < 0.75, (x + 1) %% 16,
                    torch.randint(0, 16, (n,), generator=noise))
    return x, y

model = torch.nn.Sequential(torch.nn.Embedding(16, 32), torch.nn.Linear(32, 64), torch.nn.GELU(),
                            torch.nn.Linear(64, 16))
optimizer = torch.optim.SGD(model.parameters(), lr=rate)
entropy = torch.nn.functional.cross_entropy
with open(out + "/log.csv", "w", newline="") as f, SummaryWriter(out + "/tb") as board:
    log = csv.writer(f)
    log.writerow(["iter", "train", "val"])
    for step in range(STEPS):
        x, y = batch(64)
        loss = entropy(model(x), y)
        log.writerow([step, loss.item(), ""])
        board.add_scalar("train", loss.item(), step)
        f.flush()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        x, y = batch(4096)
        val = entropy(model(x), y).item()
    log.writerow([STEPS - 1, "", val])
    board.add_scalar("val", val, STEPS - 1)
''' % STEPS
SWEEP = """
seeds = 2
[grid]
rate = [0.5, 1e6]
[trial]
command = "{python} train.py {{rate}} {{seed}} {{out}}"
log = "{log}"
columns = {{step = "iter", loss = "train", val_loss = "val"}}
steps = {steps}
warmup = 0
unigram_entropy = 2.7725887
"""


def sweep(keel, folder, name, log):
    path = os.path.join(folder, name + ".toml")
    with open(path, "w", encoding="utf-8") as f:
        f.write(SWEEP.format(python=sys.executable, log=log, steps=STEPS))
    line = [keel, "sweep", path, "--out", os.path.join(folder, name), "--json"]
    done = subprocess.run(line, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def main(keel):
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "train.py"), "w", encoding="utf-8") as f:
            f.write(TRAINER)
        of_csv = sweep(keel, folder, "csv", "log.csv")
        of_board = sweep(keel, folder, "board", "tb")
        for result in (of_csv, of_board):
            assert result["done"] == result["trials"] == 4, result
            assert result["diverged"] == 2, result
            for trial in result["results"]:
                trains = trial["values"]["rate"] == "0.5"
                assert (trial["verdict"] == "trains") == trains, trial
                assert not trains or 1.0 < trial["val_loss"] < 2.0, trial
        for a, b in zip(of_csv["results"], of_board["results"]):
            if a["val_loss"] is not None:
                assert abs(a["val_loss"] - b["val_loss"]) < 1e-6, (a, b)
    print("external sweep: a PyTorch trainer, its losses from CSV and from event files")


if __name__ == "__main__":
    main(*sys.argv[1:])
