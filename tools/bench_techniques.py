#!/usr/bin/env python3
"""What each technique costs: its training step beside the step without it, in paired rounds that
alternate, so that a slow minute of the machine falls on both. For each: the median of the rounds'
ratios of step time (with the quartiles), the same of peak memory, and the parameters it adds.
Leaves build/bench/techniques.json and techniques.md.
usage: bench_techniques.py KEEL [--config FILE] [--rounds N] [--steps N] [--only NAME,...]
                           [--out DIR] [--set KEY=VALUE]... [--list] [--check]
--list prints what there is, --check whether the config takes every switch; neither measures.
A NAME stands for every technique of that name, of that family, or that begins with it and a "_".
A technique that the config cannot have (keel's reason is printed) is left out of the table."""
import argparse
import json
import os
import statistics
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# Without QK-norm and without rotation: what those two are measured against.
BARE = ["model.attention.qk_norm.kind=none", "model.position.kind=none"]
NO_QK_NORM = BARE[:1]
NO_POSITION = BARE[1:]
GELU = ["model.ffn.kind=gelu"]
A = "model.attention."


def one(key, *values):
    """A technique for each value of a key."""
    return {value: [f"{key}={value}"] for value in values}


# family -> technique -> (what is set, what is set on the other side instead). Sides that are plain
# lists are measured against the config as it is.
TECHNIQUES = {
    "norm": {
        "layer": ["model.norm.kind=layer"],
        "layer_no_bias": ["model.norm.kind=layer", "model.norm.bias=false"],
        "rms_bias": ["model.norm.bias=true"],
        "rms_no_gain": ["model.norm.gain=false"],
        "rms_zero_centred": ["model.norm.zero_centred=true"],
        "rms_eps_outside": ["model.norm.eps_inside=false"],
        **one("model.norm.kind", "prms", "l2", "dyt"),
        "batch": ["model.norm.kind=batch", "model.norm.allow_leak=true"],
        "embedding_norm": ["model.embedding_norm.kind=rms"],
        "final_norm_off": ["model.final_norm=off"],
    },
    "placement": {
        **one("model.placement.kind", "post", "sandwich", "reordered", "residual_dual", "deepnorm",
              "scaled", "parallel", "unnormed"),
        "parallel_two_norms": ["model.placement.kind=parallel", "model.placement.two_norms=true"],
    },
    "residual": one("model.residual.kind", "layer_scale", "rezero"),
    "projection": {
        "qk_norm_rope": (["model.attention.qk_norm.kind=rms", "model.position.kind=rope"], BARE),
        "qk_norm": ([], NO_QK_NORM),
        "qk_norm_layer": (["model.attention.qk_norm.kind=layer"], NO_QK_NORM),
        "qk_norm_l2": (["model.attention.qk_norm.kind=l2"], NO_QK_NORM),
        "qk_norm_width": ([A + "qk_norm.axis=width"], NO_QK_NORM),
        "qk_norm_gain_head": ([A + "qk_norm.gain=head"], NO_QK_NORM),
        "qk_norm_after_rope": ([A + "qk_norm.after_rope=true"], NO_QK_NORM),
        "qkv_norm": ([A + "v_norm=true", "model.attention_norm=false"], NO_QK_NORM),
        "gqa": ["model.kv_heads=2"],
        "mqa": ["model.kv_heads=1"],
        "biases": ["model.bias=true"],
    },
    "linear": one("model.linear.kind", "sigma_reparam", "weight_norm"),
    "scores": {
        "softcap": [A + "softcap=50"],
        "temperature": [A + "temperature=0.5"],
        "soft_clip": [A + "clip_zeta=1.03", A + "clip_gamma=-0.03"],
        "learned_scale_head": [A + "learned_scale=head"],
        "learned_scale_layer": [A + "learned_scale=layer"],
        "off_by_one": [A + "sink=off_by_one"],
        "learned_sink": [A + "sink=learned"],
        "gate_head": [A + "gate=head"],
        "gate_element": [A + "gate=element"],
        "window_128": [A + "window=128"],
        "mup_scale": [A + "scale=mup"],
    },
    "position": {
        "rope": ([], NO_POSITION),
        "rope_interleaved": (["model.position.layout=interleaved"], NO_POSITION),
        "rope_partial": (["model.position.partial=0.5"], NO_POSITION),
        **{kind: ([f"model.position.kind={kind}"], NO_POSITION)
           for kind in ("learned", "sinusoidal", "alibi", "t5", "transformer_xl")},
    },
    "ffn": {
        **one("model.ffn.kind", "geglu", "geglu_erf", "reglu", "glu", "bilinear", "gated_elu"),
        "gelu": GELU,
        **{kind: ([f"model.ffn.kind={kind}"], GELU)
           for kind in ("gelu_erf", "relu", "relu2", "silu", "elu")},
    },
    "head": {
        "untied": ["model.tied=false"],
        "output_softcap": ["model.head.softcap=30"],
        "z_loss": ["task.z_loss=1e-4"],
        "label_smoothing": ["task.label_smoothing=0.1"],
    },
    "optimizer": {
        **one("optim.kind", "sgd", "stable_adamw", "adafactor", "lion", "muon"),
        "update_clip": ["optim.update_clip=1"],
        "qk_clip": (NO_QK_NORM + ["optim.qk_clip.tau=100"], NO_QK_NORM),
    },
    "clip": one("clip.kind", "none", "adagc", "zclip"),
    "init": {
        "mup": ["model.init.kind=mup", "optim.decay=independent", A + "scale=mup"],
    },
    "method": {
        name: ([f"method={name}"], ["method=baseline"])
        for name in ("soft_temp", "soft_cap", "soft_clip", "layer_scale", "sigma_reparam",
                     "qk_norm", "qk_norm_cap", "qkv_norm", "qk_fc_norm")
    },
}


def flat():
    """(family, name, sets, sets of the other side)"""
    for family, techniques in TECHNIQUES.items():
        for name, sides in techniques.items():
            with_it, without = sides if isinstance(sides, tuple) else (sides, [])
            yield family, name, with_it, without


def chosen(only):
    wanted = [w for w in only.split(",") if w]
    rows = [row for row in flat() if not wanted or any(
        w in (row[0], row[1]) or row[1].startswith(w + "_") for w in wanted)]
    for w in wanted:
        if not any(w in (row[0], row[1]) or row[1].startswith(w + "_") for row in rows):
            sys.exit(f"bench_techniques: no technique or family \"{w}\"; --list has them")
    return rows


def bench(args, sets):
    """One measurement; or why the config cannot be measured."""
    command = [args.keel, "bench", args.config, "--steps", str(args.steps), "--json"]
    for s in args.set + sets:
        command += ["--set", s]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        return None, done.stderr.strip()
    return json.loads(done.stdout.strip().splitlines()[-1]), None


def check(args, rows):
    """Prints what the config refuses; how many that are."""
    refused = 0
    for family, name, *sides in rows:
        for sets in sides:
            command = [args.keel, "config", "check", args.config]
            for s in args.set + sets:
                command += ["--set", s]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode != 0:
                refused += 1
                print(f"{family} {name}: {done.stderr.strip()}")
    return refused


def quartiles(values):
    if len(values) == 1:
        return values * 2
    q = statistics.quantiles(values, n=4, method="inclusive")
    return [q[0], q[2]]


def measure(args, family, name, with_it, without):
    """The order of the two sides changes from round to round: neither is always the first."""
    times, memory, result = [], [], {"family": family, "name": name, "set": with_it,
                                     "against": without}
    for i in range(args.rounds):
        pair = {}
        for side in ("with", "without") if i % 2 == 0 else ("without", "with"):
            pair[side], reason = bench(args, with_it if side == "with" else without)
            if reason is not None:
                return {**result, "refused": reason}
        times.append(pair["with"]["step_ms"]["median"] / pair["without"]["step_ms"]["median"])
        memory.append(pair["with"]["peak_rss_bytes"] / pair["without"]["peak_rss_bytes"])
        result["extra_parameters"] = pair["with"]["parameters"] - pair["without"]["parameters"]
        result["step_ms"] = pair["with"]["step_ms"]["median"]
    result.update(time_ratio=statistics.median(times), time_quartiles=quartiles(times),
                  memory_ratio=statistics.median(memory), time_ratios=times)
    return result


def markdown(args, rows):
    against = f"`{os.path.relpath(args.config, ROOT)}`"
    lines = [f"Against {against}, {args.rounds} paired rounds of {args.steps} steps; time: median "
             "(quartiles) of the rounds' ratios.", "",
             "| family | technique | step time | peak memory | parameters | set | against |",
             "|---|---|---|---|---|---|---|"]
    for r in rows:
        if "refused" in r:
            continue
        low, high = r["time_quartiles"]
        keys = ["<br>".join(f"`{s}`" for s in r[side]) for side in ("set", "against")]
        lines.append(f"| {r['family']} | {r['name']} | {r['time_ratio']:.3f} ({low:.3f} to "
                     f"{high:.3f}) | {r['memory_ratio']:.3f} | {r['extra_parameters']:+,} "
                     f"| {keys[0] or 'as it is'} | {keys[1] or 'as it is'} |")
    return "\n".join(lines) + "\n"


def parse():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("keel")
    p.add_argument("--config", default=os.path.join(ROOT, "configs", "bench", "medium.toml"))
    p.add_argument("--rounds", type=int, default=7)
    p.add_argument("--steps", type=int, default=20)
    p.add_argument("--only", default="")
    p.add_argument("--out", default=os.path.join(ROOT, "build", "bench"))
    p.add_argument("--set", action="append", default=[], help="for both sides")
    p.add_argument("--list", action="store_true")
    p.add_argument("--check", action="store_true")
    args = p.parse_args()
    if args.rounds < 1 or args.steps < 1:
        p.error("--rounds and --steps must be at least 1")
    return args


def main():
    args = parse()
    rows = chosen(args.only)
    if args.list:
        for family, name, with_it, without in rows:
            print(f"{family:12}{name:22}{' '.join(with_it) or 'as it is'}"
                  + (f"  against  {' '.join(without)}" if without else ""))
        return 0
    if args.check:
        return 1 if check(args, rows) else 0
    os.makedirs(args.out, exist_ok=True)
    results = []
    for row in rows:
        results.append(measure(args, *row))
        r = results[-1]
        print(f"{r['family']:12}{r['name']:22}"
              + (f"left out: {r['refused']}" if "refused" in r else
                 f"time {r['time_ratio']:.3f}  memory {r['memory_ratio']:.3f}  "
                 f"parameters {r['extra_parameters']:+,}"), flush=True)
        with open(os.path.join(args.out, "techniques.json"), "w") as f:
            json.dump({"config": os.path.relpath(args.config, ROOT), "set": args.set,
                       "rounds": args.rounds, "steps": args.steps, "techniques": results}, f,
                      indent=1)
        with open(os.path.join(args.out, "techniques.md"), "w") as f:
            f.write(markdown(args, results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
