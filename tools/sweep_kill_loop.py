#!/usr/bin/env python3
"""Kills (-9) the workers of sweeps, and the sweeps themselves, at random instants. Each sweep must
end with every trial done exactly once and with the results, bit for bit, of one that was never
disturbed. Prints a table; exit status 1 when a promise was broken.
usage: sweep_kill_loop.py KEEL [--kills N] [--seed S] [--folder DIR]"""
import argparse
import glob
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

from kill_loop import Broken, processes_of

CONFIG = """
[model]
dim = 32
layers = 2
heads = 2
context = 32
[data]
kind = "text"
path = "text.txt"
[train]
batch = 4
steps = 60
[schedule]
warmup = 6
[eval]
every = 0
tokens = 512
[log]
probes = 10
"""
# The largest rate diverges; checkpoints let some trials go on where they were killed.
SWEEP = """
base = "run.toml"
seeds = 3
[grid]
optim.lr = [0.01, 0.03, 1000.0]
[set]
checkpoint.every = {every}
"""
# All but times and memory.
RESULTS = """SELECT trial, ended, reason, val_loss, steps, tokens, losses, numbers, series
             FROM results ORDER BY trial"""


def results(out):
    with sqlite3.connect(os.path.join(out, "sweep.db")) as db:
        rows = db.execute(RESULTS).fetchall()
        ends = db.execute("SELECT trial FROM ends ORDER BY trial").fetchall()
    if [e[0] for e in ends] != [r[0] for r in rows]:
        raise Broken(f"{out}: {len(ends)} ends of {len(rows)} trials")
    return rows


def parent_of(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
            return int(f.read().rsplit(")", 1)[1].split()[1])
    except (OSError, IndexError):
        return None


def workers_of(runner):
    pids = [int(p.split("/")[2]) for p in glob.glob("/proc/[0-9]*/stat")]
    return [p for p in pids if parent_of(p) == runner]


class Loop:
    def __init__(self, args, folder):
        self.keel, self.folder = os.path.abspath(args.keel), folder
        self.random = random.Random(args.seed)
        self.kills = {"workers": 0, "sweeps": 0}
        with open(self.path("text.txt"), "w", encoding="utf-8") as f:
            f.writelines(f"line {i * i} of a text\n" for i in range(4000))
        with open(self.path("run.toml"), "w", encoding="utf-8") as f:
            f.write(CONFIG)
        for every in (0, 20):
            with open(self.path(f"sweep{every}.toml"), "w", encoding="utf-8") as f:
                f.write(SWEEP.format(every=every))

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def start(self, every, out):
        line = [self.keel, "sweep", self.path(f"sweep{every}.toml"), "--out", out, "--jobs", "2",
                "--json"]
        with open(out + ".out", "wb") as to_out, open(out + ".err", "wb") as to_err:
            return subprocess.Popen(line, stdout=to_out, stderr=to_err)

    def kill_one(self, runner):
        """A worker, or in one of four the sweep, which takes its workers with it. False when the
        sweep ended before."""
        if self.random.random() < 0.25:
            time.sleep(self.random.uniform(0, 0.3))
            runner.kill()
            self.kills["sweeps"] += runner.wait() != 0
            return runner.returncode != 0
        while not (workers := workers_of(runner.pid)):
            if runner.poll() is not None:
                return False
            time.sleep(0.002)
        time.sleep(self.random.uniform(0, 0.15))
        try:
            os.kill(self.random.choice(workers), signal.SIGKILL)
        except ProcessLookupError:
            return runner.poll() is None
        self.kills["workers"] += 1
        return True

    def disturbed(self, every, out, kills):
        """Kills until the sweep ends or `kills` were done."""
        runner = self.start(every, out)
        before = sum(self.kills.values())
        while sum(self.kills.values()) - before < kills and self.kill_one(runner):
            if runner.poll() is not None:
                runner = self.start(every, out)
        if runner.wait() != 0:
            with open(out + ".err", encoding="utf-8", errors="replace") as f:
                raise Broken(f"{out}: exit {runner.returncode}: {f.read()}")

    def look(self, out, wanted):
        status = json.loads(subprocess.run([self.keel, "sweep", "status", out, "--json"],
                                           check=True, capture_output=True).stdout)
        expected = {"trials": 9, "done": 9, "running": 0, "failed": 0, "pending": 0,
                    "diverged": 3, "duplicates": 0}
        if status != expected:
            raise Broken(f"{out}: {status}")
        if results(out) != wanted:
            raise Broken(f"{out}: results differ from those of the undisturbed sweep")
        left = os.listdir(os.path.join(out, "trials"))
        if left or processes_of(out):
            raise Broken(f"{out}: left behind: {left} {processes_of(out)}")


def kill_loop(loop, kills):
    undisturbed = loop.path("undisturbed")
    if loop.start(0, undisturbed).wait() != 0:
        raise Broken("the undisturbed sweep failed")
    wanted = results(undisturbed)
    loop.look(undisturbed, wanted)
    sweeps = 0
    while sum(loop.kills.values()) < kills:
        out = loop.path(f"sweep{sweeps}")
        loop.disturbed(20 * (sweeps % 2), out, kills - sum(loop.kills.values()))
        loop.look(out, wanted)
        shutil.rmtree(out)
        sweeps += 1
    return sweeps


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("keel")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--folder", default=None, help="of the file system to try")
    args = parser.parse_args()
    if args.seed is None:
        args.seed = random.randrange(1 << 30)
    sweeps, broken = 0, None
    with tempfile.TemporaryDirectory(prefix="keel-sweep-", dir=args.folder) as folder:
        loop = Loop(args, folder)
        try:
            sweeps = kill_loop(loop, args.kills)
        except Broken as e:
            broken = e
    print(f"| kill -9, seed {args.seed} | |\n|---|---|")
    print(f"| workers killed | {loop.kills['workers']} |\n| sweeps killed | {loop.kills['sweeps']} |")
    print(f"| sweeps that ended as if undisturbed | {sweeps} |")
    if broken:
        print(f"BROKEN: {broken}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
