"""TensorBoard reads the event files of a run, and finds in them what the metrics store holds, each
step once also after a resume. usage: tensorboard_test.py KEEL"""
import glob
import os
import sqlite3
import subprocess
import sys
import tempfile
import time

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def run(*command):
    subprocess.run(command, check=True, capture_output=True)


def expect_each_step_once(out, last):
    events = EventAccumulator(os.path.join(out, "events"))
    events.Reload()
    store = sqlite3.connect(os.path.join(out, "metrics.db"))
    names = [row[0] for row in store.execute("SELECT DISTINCT name FROM metrics")]
    assert {"loss", "lr", "grad_norm"} <= set(names), names
    tags = events.Tags()["scalars"]
    for name in names:
        if name not in tags:
            continue
        stored = store.execute(
            "SELECT step, value FROM metrics WHERE name = ? ORDER BY step", (name,)).fetchall()
        seen = [(e.step, e.value) for e in events.Scalars(name)]
        assert [s for s, _ in seen] == [s for s, _ in stored], name
        for (_, a), (_, b) in zip(seen, stored):
            assert abs(a - b) <= 1e-6 * max(1.0, abs(b)), (name, a, b)
    assert [e.step for e in events.Scalars("loss")] == list(range(1, last + 1))
    assert "val_loss" in tags and events.Tags()["tensors"], events.Tags()


def kill_once_saved(line, out):
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not glob.glob(os.path.join(out, "ckpt", "step-*", "MANIFEST.json")):
        assert process.poll() is None, "it ended before it was killed"
        time.sleep(0.001)
    time.sleep(0.02)
    process.kill()
    process.wait()


def main(keel):
    with tempfile.TemporaryDirectory() as folder:
        text = os.path.join(folder, "text.txt")
        with open(os.path.join(ROOT, "CONTRIBUTING.md"), encoding="utf-8") as f:
            written = f.read() * 20
        with open(text, "w", encoding="utf-8") as f:
            f.write(written)
        sets = []
        for s in ("data.kind=text", f"data.path={text}", "eval.tokens=4096", "log.probes=5"):
            sets += ["--set", s]
        line = [keel, "train", os.path.join(ROOT, "configs/tiny.toml"), *sets]
        out = os.path.join(folder, "run")
        run(*line, "--out", out, "--set", "train.steps=12")
        run(keel, "resume", out, "--set", "train.steps=20")
        expect_each_step_once(out, 20)
        killed = os.path.join(folder, "killed")
        kill_once_saved([*line, "--out", killed, "--set", "train.steps=30", "--set",
                         "checkpoint.every=4"], killed)
        run(keel, "resume", killed)
        expect_each_step_once(killed, 30)
    print("tensorboard: every scalar of the store, each step once, also after a kill")


if __name__ == "__main__":
    main(*sys.argv[1:])
