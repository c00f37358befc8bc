#!/usr/bin/env python3
"""The phenomenon itself on a toy: trains recipes/phenomenon.toml with and without QK-norm, over
learning rates and seeds, one thread a run, and says whether what the literature reports happened
here. The rules were fixed before the runs:
  logits  at the lowest rate the baseline's largest attention logit is at least 10 times QK-norm's
  loss    at each higher rate its final validation loss is at least 0.3 nats above QK-norm's
both of means over the seeds. A run that diverged counts as ln 257, the loss of knowing nothing.
Runs that are there already are read, not run again. Leaves OUT/phenomenon.json and phenomenon.md.
usage: phenomenon.py KEEL [--text FILE] [--out DIR] [--rates R,...] [--seeds N,...] [--jobs N]
                     [--steps N]      exit status 0 where both rules hold, 1 where one does not"""
import argparse
import concurrent.futures
import json
import math
import os
import sqlite3
import statistics
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
METHODS = ("baseline", "qk_norm")
LOGIT_RATIO, LOSS_GAP = 10, 0.3
KNOWING_NOTHING = math.log(257)


def largest_logit(run):
    """The largest |score| of any head, layer and step; infinite where one was not finite."""
    with sqlite3.connect(f"file:{run}/metrics.db?mode=ro", uri=True) as db:
        values = [v for (v,) in db.execute(
            "SELECT value FROM metrics WHERE name LIKE 'attn_logit_max/%'")]
    return max(v if isinstance(v, float) else math.inf for v in values)


def train(args, method, rate, seed):
    run = os.path.join(args.out, f"{method}-{rate:g}-{seed}")
    result = os.path.join(run, "result.json")
    if not os.path.exists(result):
        done = subprocess.run(
            [args.keel, "train", os.path.join(ROOT, "recipes", "phenomenon.toml"), "--out", run,
             "--quiet", "--json", "--set", f"method={method}", "--set", f"optim.lr={rate:g}",
             "--set", f"train.seed={seed}", "--set", f"train.steps={args.steps}",
             "--set", f"data.path={os.path.abspath(args.text)}"],
            capture_output=True, text=True)
        if done.returncode not in (0, 20):
            sys.exit(f"{' '.join(done.args)}\n{done.stderr}")
        with open(result + ".part", "w") as f:
            f.write(done.stdout.strip().splitlines()[-1])
        os.replace(result + ".part", result)
    with open(result) as f:
        j = json.load(f)
    loss = KNOWING_NOTHING if j["diverged"] or j["val_loss"] is None else j["val_loss"]
    return {"method": method, "rate": rate, "seed": seed, "logit": largest_logit(run),
            "val_loss": loss, "diverged": j["diverged"]}


def judge(rows, rates):
    """Per rate: means and spreads of both methods, the ratio of logits, the gap of losses."""
    table = []
    for rate in rates:
        entry = {"rate": rate}
        for method in METHODS:
            of = [r for r in rows if r["rate"] == rate and r["method"] == method]
            for key in ("logit", "val_loss"):
                values = [r[key] for r in of]
                entry[f"{method}_{key}"] = statistics.fmean(values)
                entry[f"{method}_{key}_range"] = [min(values), max(values)]
            entry[f"{method}_diverged"] = sum(r["diverged"] for r in of)
        entry["logit_ratio"] = entry["baseline_logit"] / entry["qk_norm_logit"]
        entry["loss_gap"] = entry["baseline_val_loss"] - entry["qk_norm_val_loss"]
        table.append(entry)
    return table


def spread(entry, key, digits):
    low, high = entry[key + "_range"]
    return f"{entry[key]:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def markdown(table):
    lines = ["| rate | largest logit, baseline | QK-norm | ratio | validation loss, baseline | "
             "QK-norm | gap, nats | diverged |", "|---|---|---|---|---|---|---|---|"]
    for e in table:
        lines.append(
            f"| {e['rate']:g} | {spread(e, 'baseline_logit', 1)} | {spread(e, 'qk_norm_logit', 1)} "
            f"| {e['logit_ratio']:.1f} | {spread(e, 'baseline_val_loss', 3)} "
            f"| {spread(e, 'qk_norm_val_loss', 3)} | {e['loss_gap']:.3f} "
            f"| {e['baseline_diverged']} and {e['qk_norm_diverged']} |")
    return "\n".join(lines) + "\n"


def parse():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("keel")
    p.add_argument("--text", default=os.path.join(ROOT, "build", "data", "kjv.txt"))
    p.add_argument("--out", default=os.path.join(ROOT, "build", "phenomenon"))
    p.add_argument("--rates", default="0.03,0.1,0.2")
    p.add_argument("--seeds", default="0,1,2")
    p.add_argument("--jobs", type=int, default=1)
    p.add_argument("--steps", type=int, default=600)
    return p.parse_args()


def main():
    args = parse()
    rates = sorted(float(r) for r in args.rates.split(","))
    cells = [(m, r, int(s)) for r in rates for s in args.seeds.split(",") for m in METHODS]
    os.makedirs(args.out, exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        rows = list(pool.map(lambda cell: train(args, *cell), cells))
    table = judge(rows, rates)
    claims = [(f"at {table[0]['rate']:g} the baseline's largest logit is {LOGIT_RATIO} times "
               "QK-norm's", table[0]["logit_ratio"], table[0]["logit_ratio"] >= LOGIT_RATIO)]
    claims += [(f"at {e['rate']:g} its final loss is {LOSS_GAP} nats above QK-norm's",
                e["loss_gap"], e["loss_gap"] >= LOSS_GAP) for e in table[1:]]
    with open(os.path.join(args.out, "phenomenon.json"), "w") as f:
        json.dump({"runs": rows, "table": table}, f, indent=1)
    text = markdown(table) + "\n" + "".join(
        f"- {'holds' if holds else 'FAILS'}: {claim} (measured {value:.2f})\n"
        for claim, value, holds in claims)
    with open(os.path.join(args.out, "phenomenon.md"), "w") as f:
        f.write(text)
    print(text, end="")
    return 0 if all(holds for _, _, holds in claims) else 1


if __name__ == "__main__":
    sys.exit(main())
