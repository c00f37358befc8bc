#!/usr/bin/env python3
"""Fills the disk of a run at every 64 KiB of a save, on a real file system (a tmpfs of its own, so it
needs root or user namespaces). A run with one checkpoint goes on with that much room left: it must end
well or with exit code 74, keep a checkpoint that verifies, leave nothing half-made under a final name,
and, once there is room again, end with the state hash of a run that never lacked any.
usage: quota_loop.py KEEL [--step BYTES]"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

CONFIG = """
[model]
dim = 96
layers = 3
heads = 4
context = 32
[data]
kind = "text"
path = "{data}"
[train]
batch = 2
steps = 4
threads = 1
[schedule]
steps = 12
[eval]
every = 0
[sample]
tokens = 0
[checkpoint]
every = 4
keep = 2
async = {beside}
on_disk_full = "{policy}"
"""
KINDS = [("true", "continue"), ("false", "continue"), ("true", "stop")]


def keel(program, *arguments):
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)


def size_of(folder):
    return sum(os.path.getsize(os.path.join(at, name)) for at, _, names in os.walk(folder)
               for name in names)


def state_at_the_end(program, run):
    done = keel(program, "resume", run, "--set", "train.steps=12", "--json")
    if done.returncode != 0:
        raise SystemExit(f"{run}: exit {done.returncode} with room: {done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])["state"]


def room_left(disk):
    s = os.statvfs(disk)
    return s.f_bavail * s.f_frsize


def fill(disk, room):
    """A file that leaves that much room."""
    path = os.path.join(disk, "filler")
    with open(path, "wb") as f:
        os.posix_fallocate(f.fileno(), 0, max(1, room_left(disk) - room))
    return path


def one(program, config, disk, room, unbroken, problems):
    run = os.path.join(disk, "run")
    made = keel(program, "train", config, "--out", run)
    if made.returncode != 0:
        raise SystemExit(made.stderr)
    filler = fill(disk, room)
    short = keel(program, "resume", run, "--set", "train.steps=12")
    if short.returncode not in (0, 74):
        problems.append(f"room {room}: exit {short.returncode}: {short.stderr}")
    verified = keel(program, "ckpt", "verify", run)
    if verified.returncode != 0:
        problems.append(f"room {room}: {verified.stderr}")
    if [n for n in os.listdir(os.path.join(run, "ckpt")) if ".tmp-" in n]:
        problems.append(f"room {room}: a temporary folder stays")
    os.remove(filler)
    if state_at_the_end(program, run) != unbroken:
        problems.append(f"room {room}: the state differs from that of the unbroken run")
    subprocess.run(["rm", "-r", run], check=True)
    return short.returncode


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("keel")
    parser.add_argument("--step", type=int, default=64 << 10)
    args = parser.parse_args()
    program = os.path.abspath(args.keel)
    if os.environ.get("KEEL_QUOTA_LOOP") is None:  # once more, where mounting harms nobody
        os.environ["KEEL_QUOTA_LOOP"] = "1"
        os.execvp("unshare", ["unshare", "--map-root-user", "--mount", sys.executable, __file__,
                              program, "--step", str(args.step)])
    problems, ends = [], {0: 0, 74: 0}
    with tempfile.TemporaryDirectory(prefix="keel-quota-") as folder:
        data = os.path.join(folder, "text.txt")
        with open(data, "w", encoding="utf-8") as f:
            f.writelines(f"line {i * i} of a text\n" for i in range(2000))
        disk = os.path.join(folder, "disk")
        os.mkdir(disk)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", disk], check=True)
        try:
            for beside, policy in KINDS:
                config = os.path.join(folder, "run.toml")
                with open(config, "w", encoding="utf-8") as f:
                    f.write(CONFIG.format(data=data, beside=beside, policy=policy))
                whole = os.path.join(disk, "whole")
                keel(program, "train", config, "--out", whole)
                save = size_of(os.path.join(whole, "ckpt", "step-00000004"))
                unbroken = state_at_the_end(program, whole)
                subprocess.run(["rm", "-r", whole], check=True)
                for room in range(0, 3 * save, args.step):
                    code = one(program, config, disk, room, unbroken, problems)
                    ends[code] = ends.get(code, 0) + 1
        finally:
            subprocess.run(["umount", disk], check=True)
    print(f"| a save takes | {save} bytes |\n|---|---|")
    print(f"| fillings, {args.step} bytes apart | {sum(ends.values())} |")
    for code, count in sorted(ends.items()):
        print(f"| ended with exit code {code} | {count} |")
    print(f"| broken promises | {len(problems)} |")
    print("\n".join(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
