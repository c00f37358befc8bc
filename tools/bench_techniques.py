#!/usr/bin/env python3
"""What each technique costs: its training step beside the step without it, in turn in one process
(`keel bench --against`), so that a slow minute of the machine falls on both. For each: the ratio of
the lower quartiles of step times, as neighbours on a shared machine only ever make a step slower, with
a 90 % interval; the ratio of counted flops (its floor: what it would cost at the other side's speed)
and of planned memory; and the parameters it adds.
usage: bench_techniques.py KEEL [--only NAME,...] [--rounds N] [--steps N] [--budget MINUTES]
                           [--config FILE] [--set KEY=VALUE]... [--out DIR] [--fresh]
       bench_techniques.py KEEL --samples SECONDS [--only NAME,...]
       bench_techniques.py KEEL --publish | --list | --check
Pairs are kept in build/bench/techniques.json as soon as they are there: run again, the tool goes on
where it was stopped, unless the program, the config or the machine is another one. A round goes over
all techniques before the next begins, four times as long for those with a bound, and the last one is
cut short where the budget (45 minutes) is used up. A technique that the config cannot have is left
out, with keel's reason.
--samples finds the same by samples of the processor (perf), for techniques with a bound that add no
matrix products: the time of a step for each second of its products, beside that of the step without.
Other work on the machine slows both alike, so that this tells a percent where clocks do not.
--publish writes the results to src/lab/techniques/costs.json, which `keel techniques` reads, and
into docs/performance.md. --list prints what there is. --check measures nothing: whether the config
takes every switch, names are those of `keel techniques`, and docs/performance.md has the table of
costs.json. A NAME stands for every technique of that name or family, or that begins with it."""
import argparse
import datetime
import hashlib
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
COSTS = os.path.join(ROOT, "src", "lab", "techniques", "costs.json")
PAGE = os.path.join(ROOT, "docs", "performance.md")
BEGIN, END = "<!-- techniques: begin -->\n", "<!-- techniques: end -->\n"
START_SECONDS = 6  # until a process that is sampled trains
DISCARDED = 1  # pairs of a process that are not measured: products are prepared, memory is laid out
BOUNDED = 4  # times as many pairs for those with a bound

A, N, P = "model.attention.", "model.norm.", "model.position."
QK_NORM, PLACE = A + "qk_norm.", "model.placement."
NO_QK_NORM, NO_POSITION = [QK_NORM + "kind=none"], [P + "kind=none"]
GELU = ["model.ffn.kind=gelu"]


def kinds(key, names, against=()):
    """(technique, "", what is set, what is set on the other side instead)"""
    return [(technique, "", [f"{key}={kind}"], list(against)) for technique, kind in names.items()]


def same(key, names, against=()):
    return kinds(key, {n: n for n in names}, against)


# family -> (technique, form, set, set on the other side instead), the ones with a bound first. A
# technique has the name that `keel techniques` gives it; `form` tells its rows apart.
ROWS = {
    "attention": [
        ("qk_norm_rms", "and RoPE, against neither", [], NO_QK_NORM + NO_POSITION),
        ("qk_norm_rms", "", [], NO_QK_NORM),
        ("qk_norm_layer", "", [QK_NORM + "kind=layer"], NO_QK_NORM),
        ("qk_norm_rms", "over the width", [QK_NORM + "axis=width"], NO_QK_NORM),
        ("qk_norm_rms", "a gain for each head", [QK_NORM + "gain=head"], NO_QK_NORM),
        ("qk_norm_rms", "after RoPE", [QK_NORM + "after_rope=true"], NO_QK_NORM),
        ("qk_norm_prms", "", [QK_NORM + "kind=prms"], NO_QK_NORM),
        ("qk_norm_l2", "", [QK_NORM + "kind=l2"], NO_QK_NORM),
        ("qk_norm_dyt", "", [QK_NORM + "kind=dyt"], NO_QK_NORM),
        ("v_norm", "", [A + "v_norm=true"], []),
        ("grouped_queries", "2 of 6 heads", ["model.kv_heads=2"], []),
        ("grouped_queries", "1 of 6 heads (MQA)", ["model.kv_heads=1"], []),
        ("bias", "", ["model.bias=true"], []),
        *[(f"bias_{b}", "", [f"model.biases.{b}=on"], []) for b in ("q", "k", "v", "out", "ffn")],
        ("no_attention_norm", "", ["model.attention_norm=false"], []),
    ],
    "score": [
        ("soft_cap", "", [A + "softcap=50"], []),
        ("off_by_one", "", [A + "sink=off_by_one"], []),
        ("learned_sink", "", [A + "sink=learned"], []),
        ("soft_clip", "", [A + "clip_zeta=1.03", A + "clip_gamma=-0.03"], []),
        ("learned_scale", "by head", [A + "learned_scale=head"], []),
        ("gated_output", "by head", [A + "gate=head"], []),
        ("gated_output", "by element", [A + "gate=element"], []),
        ("sliding_window", "128 of 256", [A + "window=128"], []),
        ("entropy_regulariser", "", [A + "entropy_weight=0.01", A + "entropy_floor=0.5"], []),
    ],
    "placement": [
        ("sandwich", "", [PLACE + "kind=sandwich"], []),
        *kinds(PLACE + "kind", {"post_norm": "post", "layernorm_scaling": "scaled"}),
        *same(PLACE + "kind", ["reordered", "residual_dual", "deepnorm", "parallel", "unnormed"]),
        ("parallel", "two norms", [PLACE + "kind=parallel", PLACE + "two_norms=true"], []),
    ],
    "position": [
        *kinds(P + "kind", {"alibi": "alibi", "t5_bias": "t5"}, NO_POSITION),
        ("rope", "", [], NO_POSITION),
        ("rope", "interleaved", [P + "layout=interleaved"], NO_POSITION),
        ("rope", "half of the channels", [P + "partial=0.5"], NO_POSITION),
        ("rope_rotated_values", "", [P + "rotate_v=true"], []),
        *kinds(P + "kind", {"learned_positions": "learned", "sinusoidal": "sinusoidal",
                            "transformer_xl": "transformer_xl"}, NO_POSITION),
    ],
    "linear": same("model.linear.kind", ["sigma_reparam", "weight_norm"]),
    "optimizer": [
        *same("optim.kind", ["muon", "stable_adamw", "adafactor", "lion", "sgd"]),
        ("update_clip", "", ["optim.update_clip=1"], []),
        ("qk_clip", "", NO_QK_NORM + ["optim.qk_clip.tau=100"], NO_QK_NORM),
        ("weight_average", "", ["train.ema=0.999"], []),
    ],
    "norm": [
        ("layer_norm", "", [N + "kind=layer"], []),
        ("layer_norm", "without bias", [N + "kind=layer", N + "bias=false"], []),
        *kinds(N + "kind", {"partial_rms_norm": "prms", "l2_norm": "l2", "dynamic_tanh": "dyt"}),
        ("batch_norm", "", [N + "kind=batch", N + "allow_leak=true"], []),
        ("norm_bias", "", [N + "bias=true"], []),
        ("no_gain", "", [N + "gain=false"], []),
        ("zero_centred_gain", "", [N + "zero_centred=true"], []),
        ("eps_outside", "", [N + "eps_inside=false"], []),
        ("embedding_norm", "", ["model.embedding_norm.kind=rms"], []),
    ],
    "residual": [
        ("layer_scale", "", ["model.residual.kind=layer_scale"], []),
        ("skip_init", "", ["model.residual.kind=rezero"], []),
        ("rezero", "", ["model.residual.kind=rezero", PLACE + "kind=unnormed"], []),
    ],
    "clip": [
        ("no_clip", "", ["clip.kind=none"], []),
        *same("clip.kind", ["adagc", "zclip"]),
    ],
    "head": [
        ("tied_head", "against untied", [], ["model.tied=false"]),
        ("head_bias", "", ["model.head.bias=true"], []),
        ("output_softcap", "", ["model.head.softcap=30"], []),
        ("z_loss", "", ["task.z_loss=1e-4"], []),
        ("label_smoothing", "", ["task.label_smoothing=0.1"], []),
        ("dropout", "", ["model.dropout=0.1"], []),
    ],
    "ffn": [
        ("swiglu", "against gelu, as many parameters", [], GELU + ["model.ffn.hidden=1536"]),
        *same("model.ffn.kind",
              ["geglu", "geglu_erf", "reglu", "glu", "bilinear", "gated_elu"]),
        *same("model.ffn.kind", ["gelu_erf", "relu", "relu2", "silu", "elu"], GELU),
    ],
    "method": [(f"method_{m}", "", [f"method={m}"], ["method=baseline"])
               for m in ("soft_temp", "soft_cap", "soft_clip", "layer_scale", "sigma_reparam",
                         "qk_norm", "qk_norm_cap", "qkv_norm", "qk_fc_norm")],
}

# What a step with it may take at most, in steps without it; Muon's is 1.25 times its floor.
BOUNDS = {"qk_norm_rms (and RoPE, against neither)": 1.03, "soft_cap": 1.02, "off_by_one": 1.02,
          "learned_sink": 1.02, "sandwich": 1.04, "alibi": 1.03, "t5_bias": 1.03,
          "sigma_reparam": 1.05, "stable_adamw": 1.02, "lion": 1.02, "sgd": 1.02,
          "muon": 1.25}

# In the step that the others are measured against.
BASE = ["rms_norm", "pre_norm", "final_norm", "softmax_attention", "rope", "swiglu", "plain_linear",
        "tied_head", "causal_lm", "gpt2_init", "adamw", "global_clip", "cosine_schedule"]
# Numbers that are chosen before a step, or the sum of rows that are there.
NOT_MEASURED = {
    "score_scale", "soft_temperature", "no_positions", "gelu", "standard_init", "small_init",
    "xavier_init", "mup", "independent_decay", "group_rates", "group_decays", "constant_schedule",
    "linear_schedule", "wsd_schedule", "inverse_sqrt_schedule", "noam_schedule", "sgdr_schedule",
    "slanted_triangular_schedule", "one_cycle_schedule", "warmup", "batch_warmup", "method_baseline",
    "scaled_attention_start"}


def flat():
    return [(family, *row) for family, rows in ROWS.items() for row in rows]


def matches(wanted, row):
    return wanted in (row[0], row[1]) or row[1].startswith(wanted + "_")


def chosen(only):
    wanted = [w for w in only.split(",") if w]
    for w in wanted:
        if not any(matches(w, row) for row in flat()):
            sys.exit(f"bench_techniques: no technique or family \"{w}\"; --list has them")
    return [row for row in flat() if not wanted or any(matches(w, row) for w in wanted)]


def label(row):
    return row[1] + (f" ({row[2]})" if row[2] else "")


def keel(args, command, sets, against=None):
    line = [args.keel, *command]
    for flag, values in (("--set", args.set + sets), ("--against", against)):
        for value in values or []:
            line += [flag, value]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr.strip()


def bench(args, row):
    """Pairs of steps; or why the config cannot be measured."""
    steps = args.steps * (BOUNDED if label(row) in BOUNDS else 1)
    code, out, err = keel(args, ["bench", args.config, "--steps", str(steps), "--discard",
                                 str(DISCARDED), "--json"], row[3], args.set + row[4] or [""])
    if code == 2:  # a combination that is refused
        return None, err
    if code != 0:
        sys.exit(f"bench_techniques: keel bench failed ({code}): {err}")
    return json.loads(out.strip().splitlines()[-1]), None


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        names = [line.split(":", 1)[1].strip() for line in f if line.startswith("model name")]
    return f"{len(os.sched_getaffinity(0))} cores of {names[0] if names else 'a processor'}"


def digest(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()[:16]


class Results:
    """Pairs by row, in a file that is whole at any instant."""

    def __init__(self, args, compared=True):
        self.path = os.path.join(args.out, "techniques.json")
        self.about = {"config": os.path.relpath(args.config, ROOT), "set": args.set,
                      "steps": args.steps, "machine": machine(), "program": digest(args.keel),
                      "config_digest": digest(args.config)}
        self.rows = {}
        if args.fresh or not os.path.exists(self.path):
            return
        with open(self.path, encoding="utf-8") as f:
            try:
                found = json.load(f)
            except json.JSONDecodeError as e:
                sys.exit(f"bench_techniques: {self.path}: {e}; --fresh begins anew")
        old = found.get("about", {})
        differing = [k for k in self.about if old.get(k) != self.about[k]]
        if not compared:
            self.about = old
        elif differing:
            sys.exit(f"bench_techniques: {self.path} is of another {', '.join(differing)}; --fresh "
                     "begins anew, --out DIR leaves it")
        self.rows = found["rows"]

    def of(self, row):
        return self.rows.setdefault(label(row), {"pairs": [], "rounds": 0})

    def save(self):
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        with open(self.path + ".new", "w", encoding="utf-8") as f:
            json.dump({"about": self.about, "rows": self.rows}, f, indent=1)
        os.replace(self.path + ".new", self.path)


def measure(args, results, row):
    mine = results.of(row)
    found, reason = bench(args, row)
    if reason is not None:
        mine["refused"] = reason
    else:
        here, there = found["here"], found["against"]
        mine["pairs"] += found["step_ms_pairs"]
        mine["rounds"] += 1
        mine["memory"] = here["planned_bytes"] / there["planned_bytes"]
        mine["work"] = here["flops"] / there["flops"]
        mine["parameters"] = here["parameters"] - there["parameters"]
        mine["date"] = datetime.date.today().isoformat()
    results.save()


def sampled(args, sets):
    """Samples of training steps, and those of them in matrix products, which are oneDNN's code."""
    line = [args.keel, "bench", args.config, "--steps", "1000000"]
    for value in args.set + sets:
        line += ["--set", value]
    with tempfile.NamedTemporaryFile() as data, subprocess.Popen(line, stdout=subprocess.DEVNULL) as child:
        try:
            time.sleep(START_SECONDS)
            subprocess.run(["perf", "record", "-e", "cpu-clock", "-F", "499", "-o", data.name, "-p",
                            str(child.pid), "--", "sleep", str(args.samples)], check=True,
                           capture_output=True)
        finally:
            child.kill()
        text = subprocess.run(["perf", "script", "-i", data.name, "-F", "ip,sym,dso"], check=True,
                              capture_output=True, text=True).stdout
    # The kernel's samples and those of threads that wait for work are none of a step's own.
    lines = [x for x in text.splitlines()
             if x.strip() and "[kernel" not in x and "Pool::" not in x]
    products = [x for x in lines if any(w in x for w in ("libdnnl", "[unknown]", "//anon"))
                and "keel" not in x]
    return len(lines), len(products)


def sample(args):
    results = Results(args, compared=False)
    for row in chosen(args.only):
        if label(row) not in BOUNDS or row[1] == "muon":
            continue
        (a, pa), (b, pb) = sampled(args, row[3]), sampled(args, row[4])
        ratio = (a / pa) / (b / pb)
        error = ratio * (1 / pa - 1 / a + 1 / pb - 1 / b) ** 0.5
        results.of(row)["sampled"] = [round(ratio, 4), round(error, 4)]
        results.save()
        print(f"{label(row)}: {ratio:.4f}, standard error {error:.4f}", flush=True)
    return 0


def lower_quartile(values):
    return statistics.quantiles(values, n=4, method="inclusive")[0] if len(values) > 1 else values[0]


def ratio_of(pairs):
    """Of the lower quartiles of both sides, with its 90 % interval by 1000 resamples of pairs."""
    def ratio(chosen):
        return lower_quartile([a for a, _ in chosen]) / lower_quartile([b for _, b in chosen])

    draws = random.Random(1)
    found = sorted(ratio(draws.choices(pairs, k=len(pairs))) for _ in range(1000))
    return ratio(pairs), found[50], found[949]


def summary(row, found):
    """What is published of a row, or None."""
    if not found.get("pairs") or "refused" in found:
        return None
    time, low, high = ratio_of(found["pairs"])
    bound = BOUNDS.get(label(row))
    if bound and row[1] == "muon":
        bound *= found["work"]
    return {"technique": row[1], "form": row[2], "time": round(time, 4), "low": round(low, 4),
            "high": round(high, 4), "bound": bound and round(bound, 3),
            "memory": round(found["memory"], 4), "work": round(found["work"], 4),
            "parameters": found["parameters"], "pairs": len(found["pairs"]),
            "sampled": found.get("sampled"), "date": found["date"]}


def line_of(s):
    return (f"time {s['time']:.3f} ({s['low']:.3f} to {s['high']:.3f})  floor {s['work']:.3f}  "
            f"memory {s['memory']:.3f}  parameters {s['parameters']:+,}")


def run(args):
    rows, results = chosen(args.only), Results(args)
    rows.sort(key=lambda row: label(row) not in BOUNDS)  # those first
    begin, took = time.monotonic(), []
    open_runs = [row for i in range(args.rounds) for row in rows
                 if results.of(row)["rounds"] <= i]
    print(f"{len(rows)} techniques, {len(open_runs)} processes to run", flush=True)
    for done, row in enumerate(open_runs):
        found = results.of(row)
        if "refused" in found:
            continue
        mean = statistics.mean(took) if took else 0
        if time.monotonic() - begin + mean > args.budget * 60:
            print(f"the {args.budget:g} minutes are used up with {len(open_runs) - done} runs "
                  "left; run again to go on, or --publish what there is")
            return 0
        at = time.monotonic()
        measure(args, results, row)
        took.append(time.monotonic() - at)
        left = min(statistics.mean(took) * (len(open_runs) - done - 1),
                   args.budget * 60 - (time.monotonic() - begin))
        s = summary(row, found)
        print(f"[{done + 1}/{len(open_runs)}, {max(left, 0) / 60:.0f} min left] {label(row)}: "
              + (line_of(s) if s else f"left out: {found['refused']}"), flush=True)
    print(markdown(published(results)), end="")
    return 0


def published(results):
    rows = [(row[0], summary(row, results.rows.get(label(row), {}))) for row in flat()]
    found = [{"family": family, **s} for family, s in rows if s]
    return {**{k: results.about[k] for k in ("config", "set", "steps", "machine")}, "base": BASE,
            "rows": found}


def markdown(costs):
    if not costs["rows"]:
        return "Not measured yet.\n"
    dates = sorted({r["date"] for r in costs["rows"]})
    lines = [f"`{costs['config']}`" + "".join(f", `{s}`" for s in costs["set"])
             + f", {costs['machine']}, " + " to ".join(dict.fromkeys((dates[0], dates[-1])))
             + ". Time: the ratio of the lower quartiles of steps in turn (its 90 % interval); wanted: "
             "the most it may be; by samples: the same from samples of the processor (standard "
             "error); floor: by counted flops.", "",
             "| family | technique | step time | pairs | by samples | wanted | floor "
             "| planned memory | parameters |", "|---|---|---|---|---|---|---|---|---|"]
    lines += [f"| {r['family']} | {r['technique']}{': ' + r['form'] if r['form'] else ''} "
              f"| {r['time']:.3f} ({r['low']:.3f} to {r['high']:.3f}) | {r['pairs']} "
              f"| {'{:.3f} ({:.3f})'.format(*r['sampled']) if r['sampled'] else ''} "
              f"| {format(r['bound'], '.2f') if r['bound'] else ''} | {r['work']:.3f} "
              f"| {r['memory']:.3f} | {r['parameters']:+,} |" for r in costs["rows"]]
    return "\n".join(lines) + "\n"


def read_costs():
    with open(COSTS, encoding="utf-8") as f:
        return json.load(f)


def page_parts():
    with open(PAGE, encoding="utf-8") as f:
        text = f.read()
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        sys.exit(f"bench_techniques: {PAGE} has no place for the table ({BEGIN.strip()})")
    before, rest = text.split(BEGIN)
    table, after = rest.split(END)
    return before, table, after


def publish(args):
    costs = published(Results(args, compared=False))
    if not costs["rows"]:
        sys.exit("bench_techniques: nothing has been measured")
    with open(COSTS, "w", encoding="utf-8") as f:
        f.write(as_json(costs))
    before, _, after = page_parts()
    with open(PAGE, "w", encoding="utf-8") as f:
        f.write(before + BEGIN + markdown(costs) + END + after)
    print(f"{os.path.relpath(COSTS, ROOT)} and {os.path.relpath(PAGE, ROOT)} are written; now build, "
          "then: build/keel techniques --docs docs/techniques")
    return 0


def as_json(costs):
    """A row to a line."""
    rows = ",\n".join("  " + json.dumps(r) for r in costs["rows"])
    head = json.dumps({k: v for k, v in costs.items() if k != "rows"}, indent=1)[:-2]
    return head + ',\n "rows": [\n' + rows + "\n ]\n}\n"


def check(args):
    """Prints what is wrong."""
    wrong = []
    for row in chosen(args.only):
        for sets in row[3:]:
            code, _, err = keel(args, ["config", "check", args.config], sets)
            if code != 0:
                wrong.append(f"{label(row)}: {err}")
    code, out, err = keel(argparse.Namespace(keel=args.keel, set=[]), ["techniques", "--json"], [])
    known = {t["name"] for t in json.loads(out)} if code == 0 else wrong.append(err) or set()
    told = {row[1] for row in flat()}
    listed = told | set(BASE) | NOT_MEASURED
    wrong += [f"{name} is no technique" for name in sorted(listed - known)]
    wrong += [f"{name} is measured and among NOT_MEASURED" for name in sorted(told & NOT_MEASURED)]
    costs = read_costs()
    labels = {(row[0], row[1], row[2]) for row in flat()}
    wrong += [f"costs.json: no row {r['technique']} ({r['form']})" for r in costs["rows"]
              if (r["family"], r["technique"], r["form"]) not in labels]
    if page_parts()[1] != markdown(costs):
        wrong.append("docs/performance.md does not have the table of costs.json; --publish writes both")
    if known - listed:
        print("not measured, and no word why:", ", ".join(sorted(known - listed)))
    print("\n".join(wrong) or f"{len(flat())} rows of {len(known)} techniques are right")
    return 1 if wrong else 0


def parse():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("keel")
    p.add_argument("--config", default=os.path.join(ROOT, "configs", "bench", "medium.toml"))
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--steps", type=int, default=4)
    p.add_argument("--budget", type=float, default=45)
    p.add_argument("--only", default="")
    p.add_argument("--out", default=os.path.join(ROOT, "build", "bench"))
    p.add_argument("--set", action="append", default=[], help="for both sides")
    p.add_argument("--samples", type=float, default=0, metavar="SECONDS")
    for flag in ("fresh", "publish", "list", "check"):
        p.add_argument("--" + flag, action="store_true")
    args = p.parse_args()
    if args.rounds < 1 or args.steps < 1 or args.budget <= 0:
        p.error("--rounds, --steps and --budget must be at least 1")
    return args


def main():
    args = parse()
    if args.list:
        for row in chosen(args.only):
            print(f"{row[0]:12}{label(row):44}{' '.join(row[3]) or 'as it is'}"
                  + (f"  against  {' '.join(row[4])}" if row[4] else ""))
        return 0
    if args.samples:
        return sample(args)
    return check(args) if args.check else publish(args) if args.publish else run(args)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("\nbench_techniques: stopped; run again to go on")
