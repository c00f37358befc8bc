"""Runs `keel bench` and PyTorch (eager and compiled) alternately on the five shapes and writes
build/bench/results.json and a table: compare.py KEEL ORACLE_PYTHON [SHAPE...]. Standard library
only. The numbers to reach are those of the table BARS below (tokens per second and peak memory
against the faster of the two modes). It also times the way from the command to the 100th step of
the toy, and checks that both sides learn to the same loss.
"""
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# shape: steps of one process, speed at least, memory at most (both as ratios to the peer)
BARS = {"toy": (300, 1.8, 0.15), "small": (150, 1.5, 0.2), "medium": (14, 1.15, 0.4),
        "gpt2": (9, 1.35, 0.7), "gpt2long": (6, 1.2, 0.75)}
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))


def last_json(command, environment=None):
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def config_of(shape):
    return os.path.join(ROOT, "configs", "bench", shape + ".toml")


def ours(keel, shape, steps):
    return last_json([keel, "bench", config_of(shape), "--steps", str(steps), "--json"])


def peer(python, shape, mode, steps, environment=None):
    script = os.path.join(ROOT, "bench", "peer", "torch_train.py")
    return last_json([python, script, config_of(shape), "--mode", mode, "--steps", str(steps),
                      "--threads", str(os.cpu_count())], environment)


def spread(values):
    return [min(values), statistics.median(values), max(values)]


def measure(keel, python, shape):
    steps = BARS[shape][0]
    runs = {"keel": [], "eager": [], "compile": []}
    for _ in range(ROUNDS):
        runs["keel"].append(ours(keel, shape, steps))
        runs["eager"].append(peer(python, shape, "eager", steps))
        runs["compile"].append(peer(python, shape, "compile", steps))
    result = {"shape": shape, "steps": steps, "rounds": ROUNDS}
    for who, of in runs.items():
        result[who] = {"tokens_per_second": spread([r["tokens_per_second"] for r in of]),
                       "peak_rss_bytes": statistics.median(r["peak_rss_bytes"] for r in of)}
    best = max(("eager", "compile"), key=lambda m: result[m]["tokens_per_second"][1])
    result["best_peer"] = best
    result["speed_ratio"] = (result["keel"]["tokens_per_second"][1] /
                             result[best]["tokens_per_second"][1])
    result["memory_ratio"] = result["keel"]["peak_rss_bytes"] / result[best]["peak_rss_bytes"]
    result["gflops"] = statistics.median(r["gflops"] for r in runs["keel"])
    result["torch"] = runs["eager"][0]["torch"]
    return result


def to_100th_step(keel, python):
    """Wall seconds from command to the end of step 100 of toy: ours, compiled cold, compiled warm."""
    def timed(run):
        begin = time.time()
        run()
        return time.time() - begin

    mine = timed(lambda: ours(keel, "toy", 100))
    cache = tempfile.mkdtemp(prefix="peer-cache-")
    try:
        environment = dict(os.environ, TORCHINDUCTOR_CACHE_DIR=cache)
        cold = timed(lambda: peer(python, "toy", "compile", 100, environment))
        warm = timed(lambda: peer(python, "toy", "compile", 100, environment))
    finally:
        shutil.rmtree(cache)
    return {"keel": mine, "compile_cold": cold, "compile_warm": warm}


def check_learning(keel, python):
    """Losses of 100 steps of toy on both sides: the means of the last 20 must agree within 1 %."""
    with tempfile.TemporaryDirectory() as folder:
        mine = last_json([keel, "train", config_of("toy"), "--out", os.path.join(folder, "run"),
                          "--set", "train.steps=100", "--set", "schedule.kind=constant", "--json"])
    theirs = peer(python, "toy", "eager", 100)
    print(f"\nMean loss of steps 81 to 100 of toy: keel {mine['train_loss']:.4f}, PyTorch "
          f"{theirs['last_loss']:.4f} (step 1: {theirs['first_loss']:.4f})")
    if abs(mine["train_loss"] / theirs["last_loss"] - 1) > 0.01:
        sys.exit("the two sides do not learn the same")


def row(r):
    speed, memory = BARS[r["shape"]][1:]
    k, best = r["keel"], r[r["best_peer"]]
    return (f"| {r['shape']} | {k['tokens_per_second'][1]:,.0f} | "
            f"{r['eager']['tokens_per_second'][1]:,.0f} | "
            f"{r['compile']['tokens_per_second'][1]:,.0f} | {r['speed_ratio']:.2f}x (bar {speed}x) | "
            f"{r['gflops']:.0f} | {k['peak_rss_bytes'] / 2**20:,.0f} / "
            f"{best['peak_rss_bytes'] / 2**20:,.0f} MiB | {r['memory_ratio']:.2f}x (bar {memory}x) |")


def main():
    keel, python, *shapes = sys.argv[1:]
    shapes = shapes or list(BARS)
    results = []
    print("| shape | keel tok/s | eager | compiled | speed | GFLOP/s | memory | ratio |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for shape in shapes:
        results.append(measure(keel, python, shape))
        print(row(results[-1]), flush=True)
    hundred = to_100th_step(keel, python) if "toy" in shapes else None
    if hundred:
        print("\nFrom command to the 100th step of toy: keel {keel:.2f} s, compiled PyTorch "
              "{compile_cold:.1f} s (warm cache {compile_warm:.1f} s)".format(**hundred))
        check_learning(keel, python)
    os.makedirs(os.path.join(ROOT, "build", "bench"), exist_ok=True)
    with open(os.path.join(ROOT, "build", "bench", "results.json"), "w") as f:
        json.dump({"results": results, "to_100th_step_seconds": hundred}, f, indent=1)


if __name__ == "__main__":
    main()
