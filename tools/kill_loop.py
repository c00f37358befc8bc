#!/usr/bin/env python3
"""Kills runs at random instants and looks at what is left, on the real file system.
  --signal KILL  kill -9 from the first instruction of a process to its last: a tiny run that saves
                 often is killed and resumed until it ends, then the next one, until N were killed
  --signal TERM  a SIGTERM in each phase: while data is read, in steps, evaluations, samples, saves
Every run must end with the state hash of one that was never stopped. Prints a table; exit status 1
when a promise was broken.
usage: kill_loop.py KEEL [--signal KILL|TERM] [--kills N] [--seed S] [--folder DIR]"""
import argparse
import glob
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

EVERY, STEPS = 4, 40
CONFIG = """
[model]
dim = 32
layers = 2
heads = 2
context = 32
dropout = 0.1
[data]
kind = "{kind}"
path = "{data}"
[train]
batch = 2
accumulate = 3
steps = {steps}
ema = 0.9
threads = {threads}
[schedule]
warmup = 10
steps = 40
[eval]
every = 10
[sample]
tokens = 20
[checkpoint]
every = {every}
async = {beside}
[log]
every = 1
"""
# What a SIGTERM is to hit: settings that make one phase most of the time.
PHASES = {
    "reading data": ["data.kind=jsonl", "eval.tokens=64"],
    "steps": ["train.accumulate=24", "eval.every=0", "sample.tokens=0", "checkpoint.every=1000"],
    "evaluation": ["eval.every=1", "sample.tokens=0", "checkpoint.every=1000"],
    "samples": ["sample.every=1", "sample.tokens=2000", "sample.temperature=2", "eval.every=0",
                "checkpoint.every=1000"],
    "saving": ["checkpoint.every=1", "eval.every=0", "sample.tokens=0"],
}


class Broken(Exception):
    """A promise that was not kept."""


class Loop:
    def __init__(self, args, folder):
        self.keel, self.folder = os.path.abspath(args.keel), folder
        self.random = random.Random(args.seed)
        self.environment = dict(os.environ, KEEL_CACHE=os.path.join(folder, "cache"))
        self.broken = []
        self.memory_segments = segments()
        self.counts = {"unloadable run directories": 0, "torn files under a final name": 0,
                       "orphan processes": 0, "shared-memory segments": 0}
        self.write_data()

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write_data(self):
        lines = [f"line {i * i} of a text\n" for i in range(4000)]
        with open(self.path("text.txt"), "w", encoding="utf-8") as f:
            f.writelines(lines)
        with open(self.path("text.jsonl"), "w", encoding="utf-8") as f:
            f.writelines(json.dumps({"text": line * 4}) + "\n" for line in lines * 40)

    def config(self, name, threads, steps=STEPS, kind="text", beside="true"):
        suffix = "txt" if kind == "text" else "jsonl"
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(CONFIG.format(kind=kind, data=self.path("text." + suffix), steps=steps,
                                  threads=threads, every=EVERY, beside=beside))
        return self.path(name)

    def start(self, run, config, sets=()):
        """A process that begins the run or goes on with it; what it says lies in RUN.err."""
        line = [self.keel, "resume", run] if os.path.isdir(run) else [
            self.keel, "train", config, "--out", run]
        for s in sets:
            line += ["--set", s]
        with open(run + ".err", "wb") as err, open(run + ".out", "wb") as out:
            return subprocess.Popen(line + ["--json"], stdout=out, stderr=err,
                                    env=self.environment)

    def finish(self, run, config, sets=()):
        """Runs to the end and returns the result."""
        code = self.start(run, config, sets).wait()
        if code != 0:
            raise Broken(f"{run}: exit {code}: {said(run)}")
        with open(run + ".out", encoding="utf-8") as f:
            return json.loads(f.read().splitlines()[-1])

    def count(self, what, found):
        self.counts[what] += len(found)
        self.broken += [f"{what}: {f}" for f in found]

    def look(self, run):
        """What a process that ended must not have left."""
        self.count("torn files under a final name", torn_files(run))
        self.count("orphan processes", processes_of(run))
        new = segments() - self.memory_segments
        self.count("shared-memory segments", sorted(new))
        self.memory_segments |= new


def said(run):
    with open(run + ".err", encoding="utf-8", errors="replace") as f:
        return f.read()


def last_number(pattern, text):
    found = re.findall(pattern, text)
    return int(found[-1]) if found else None


def segments():
    """Shared memory of both kinds; the tests' own folders in /dev/shm are none."""
    names = set()
    if os.path.isdir("/dev/shm"):
        names = {n for n in os.listdir("/dev/shm") if not n.startswith("keel-test-")}
    if os.path.exists("/proc/sysvipc/shm"):
        with open("/proc/sysvipc/shm", encoding="ascii") as f:
            names |= {"sysv " + line.split()[1] for line in f.read().splitlines()[1:]}
    return names


def processes_of(run):
    found = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, "rb") as f:
                if run.encode() in f.read():
                    found.append(path)
        except OSError:
            pass
    return found


def torn_checkpoint(folder):
    """What of a checkpoint under its final name is not as its manifest says (sizes and names; the
    checksums are compared by the resume that follows)."""
    try:
        with open(os.path.join(folder, "MANIFEST.json"), encoding="utf-8") as f:
            manifest = json.load(f)
        return [os.path.join(folder, e["name"]) for e in manifest["files"]
                if os.path.getsize(os.path.join(folder, e["name"])) != e["bytes"]]
    except (OSError, ValueError, KeyError) as e:
        return [f"{folder}: {e}"]


def torn_files(run):
    torn = []
    for folder in glob.glob(os.path.join(run, "ckpt", "step-" + "[0-9]" * 8)):
        torn += torn_checkpoint(folder)
    for name in ("config.origin.json", "env.json", "data.json"):
        path = os.path.join(run, name)
        try:
            if os.path.isdir(run):
                with open(path, encoding="utf-8") as f:
                    json.load(f)
        except (OSError, ValueError) as e:
            torn.append(f"{path}: {e}")
    return torn


def steps_once(run, steps):
    """The steps whose loss the metrics hold, each once."""
    with sqlite3.connect(os.path.join(run, "metrics.db")) as db:
        rows = [s for (s,) in db.execute("SELECT step FROM metrics WHERE name = 'loss'")]
    if rows != list(range(1, steps + 1)):
        raise Broken(f"{run}: the metrics hold {len(rows)} losses of {steps} steps")


def verify_all(loop, run):
    for folder in glob.glob(os.path.join(run, "ckpt", "step-*")):
        done = subprocess.run([loop.keel, "generate", folder, "-n", "1"], capture_output=True,
                              env=loop.environment)
        if done.returncode != 0:
            loop.count("torn files under a final name", [folder + ": " + done.stderr.decode()])


def kill_one_run(loop, run, config, seconds, wanted):
    """Kills and resumes until the run ends or `wanted` processes were killed. Returns how many, and
    the most steps that a kill cost."""
    kills = lost = reached = 0
    while kills < wanted:
        process = loop.start(run, config)
        time.sleep(loop.random.uniform(0, seconds))
        process.send_signal(signal.SIGKILL)
        code = process.wait()
        text = said(run)
        resumed = last_number(r"resuming at step (\d+)", text)
        if resumed is None and "starting at step 0" in text:
            resumed = 0
        if resumed is not None:
            lost, reached = max(lost, reached - resumed), resumed
        reached = max(reached, last_number(r"step +(\d+)/\d+ \d+% \| loss", text) or 0)
        if "skipped " in text:
            loop.count("torn files under a final name", re.findall(r"skipped .*", text))
        if code not in (0, -signal.SIGKILL):
            loop.count("unloadable run directories", [f"{run}: exit {code}: {text}"])
            break
        loop.look(run)
        if code == 0:
            break
        kills += 1
    return kills, lost


def kill_loop(loop, wanted):
    """Runs with one thread and with two, each saving beside its steps and between them in turn."""
    kinds = [(t, beside) for t in (1, 2) for beside in ("true", "false")]
    configs = [loop.config(f"{t}-{beside}.toml", t, beside=beside) for t, beside in kinds]
    begin = time.monotonic()
    unbroken = loop.finish(loop.path("unbroken"), configs[0])["state"]
    seconds = time.monotonic() - begin
    kills = runs = equal = 0
    lost = {"true": 0, "false": 0}
    while kills < wanted and loop.counts["unloadable run directories"] == 0:
        run, config, beside = loop.path(f"run{runs}"), configs[runs % 4], kinds[runs % 4][1]
        killed, cost = kill_one_run(loop, run, config, seconds, wanted - kills)
        kills, runs = kills + killed, runs + 1
        lost[beside] = max(lost[beside], cost)
        result = loop.finish(run, config)
        equal += result["state"] == unbroken
        steps_once(run, STEPS)
        verify_all(loop, run)
        for leftover in glob.glob(run + "*"):
            shutil.rmtree(leftover, ignore_errors=True)
    rows = {"kills": kills, "runs that they were spread over": runs, **loop.counts,
            "greatest loss in intervals, saves between steps": f"{lost['false'] / EVERY:.2f}",
            "the same, saves beside steps (2 at most)": f"{lost['true'] / EVERY:.2f}",
            "state hashes equal to the unbroken run's": f"{equal} of {runs}"}
    if equal != runs or lost["false"] > EVERY or lost["true"] > 2 * EVERY:
        loop.broken.append("a state differs, or more than was promised is lost")
    return rows


def handler_is_installed(pid):
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            caught = int(re.search(r"SigCgt:\s*([0-9a-f]+)", f.read()).group(1), 16)
        return caught >> (signal.SIGTERM - 1) & 1
    except (OSError, AttributeError):
        return False


def terminate_once(loop, run, config, sets, window):
    """Returns how long the process took to end and the step it stopped at (None: before the first).
    """
    process = loop.start(run, config, sets)
    while process.poll() is None and not handler_is_installed(process.pid):
        time.sleep(0.001)
    time.sleep(loop.random.uniform(0, window))
    begin = time.monotonic()
    process.send_signal(signal.SIGTERM)
    code = process.wait()
    text = said(run)
    loop.look(run)
    if code != 75:
        raise Broken(f"{run}: exit {code} after SIGTERM: {text}")
    return time.monotonic() - begin, last_number(r"keel: stopped at step (\d+)", text), text


def terminate_phase(loop, phase, wanted):
    kind = "jsonl" if phase == "reading data" else "text"
    config = loop.config(f"{kind}.toml", 2, 1000000, kind)
    run, sets = loop.path(phase.replace(" ", "-")), PHASES[phase]
    seconds, at, before_the_first = [], 0, 0
    for _ in range(wanted):
        shutil.rmtree(loop.environment["KEEL_CACHE"], ignore_errors=True)
        took, step, text = terminate_once(loop, run, config, sets, 0.3)
        seconds.append(took)
        resumed = last_number(r"resuming at step (\d+)", text)
        if resumed is not None and resumed != at:
            raise Broken(f"{run}: stopped at step {at}, resumed at {resumed}")
        if step is None:
            before_the_first += 1
        else:
            at = step
            if at > 0 and not os.path.isdir(os.path.join(run, "ckpt", f"step-{at:08}")):
                raise Broken(f"{run}: stopped at step {at}, which is not saved")
    last = [f"train.steps={at + 2}", "eval.every=0", "sample.tokens=0"]
    state = loop.finish(run, config, sets + last)["state"]
    unbroken = loop.finish(run + "-unbroken", config, sets + last)["state"]
    if state != unbroken:
        loop.broken.append(f"{run}: its state is not that of the unbroken run")
    print(f"{phase:14} {wanted:4} signals, {before_the_first:4} before the first step, last at step "
          f"{at}; ended after {statistics.median(seconds) * 1e3:.0f} ms (median), at most "
          f"{max(seconds) * 1e3:.0f} ms", flush=True)
    return state == unbroken


def terminate_loop(loop, wanted):
    share = -(-wanted // len(PHASES))
    equal = sum(terminate_phase(loop, phase, share) for phase in PHASES)
    return {"SIGTERMs, all ended with exit code 75": share * len(PHASES), **loop.counts,
            "state hashes equal to the unbroken run's": f"{equal} of {len(PHASES)}"}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("keel")
    parser.add_argument("--signal", choices=("KILL", "TERM"), default="KILL")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--folder", default=None, help="of the file system to try")
    args = parser.parse_args()
    if args.seed is None:
        args.seed = random.randrange(1 << 30)
    with tempfile.TemporaryDirectory(prefix="keel-kill-", dir=args.folder) as folder:
        loop = Loop(args, folder)
        try:
            rows = (kill_loop if args.signal == "KILL" else terminate_loop)(loop, args.kills)
        except Broken as e:
            rows = loop.counts
            loop.broken.append(str(e))
    print(f"| SIG{args.signal}, seed {args.seed} | |\n|---|---|")
    for name, value in rows.items():
        print(f"| {name} | {value} |")
    for text in loop.broken:
        print("BROKEN: " + text)
    return 1 if loop.broken else 0


if __name__ == "__main__":
    sys.exit(main())
