// Which charts there are and which lines each has, from what the runs measured.
"use strict";

const runs = keel.data.runs;
const several = runs.length > 1;
runs.forEach((run, index) => { run.index = index; });

const drawable = (curve) => Boolean(curve && curve.x.length);
const line = (run, curve, extra) => drawable(curve) ? [{ run, curve, ...extra }] : [];
const titled = (run, label) => several ? (label ? `${run.name} ${label}` : run.name) : label;
const dashOf = (run) => keel.dashes[Math.floor(run.index / 8) % keel.dashes.length];

// Where every run has the same floor it is drawn once.
function floorLines() {
  const measured = runs.filter((run) => drawable(run.curves.loss));
  const known = measured.filter((run) => run.summary.floor !== null);
  const same = new Set(known.map((run) => run.summary.floor)).size === 1 && known.length === measured.length;
  const longest = (run) => run.curves.loss.x[run.curves.loss.x.length - 1];
  const chosen = same ? [known.reduce((a, b) => longest(b) > longest(a) ? b : a)] : known;
  return chosen.map((run) => {
    const ends = [run.curves.loss.x[0], longest(run)];
    return {
      run, label: same ? "entropy floor" : titled(run, "entropy floor"), dash: [2, 4], width: 1.8,
      colour: !several ? keel.palette[keel.theme()][2] : same ? keel.css("--muted") : keel.runColour(run.index),
      curve: { x: ends, y: ends.map(() => run.summary.floor) },
    };
  });
}

function lossLines() {
  const colours = keel.palette[keel.theme()];
  const lines = runs.flatMap((run) => {
    const colour = keel.runColour(run.index);
    const mean = run.means.loss;
    return [
      ...(several ? [] : line(run, run.curves.loss,
        { label: "train, each step", colour: keel.faint(colour, 0.4), width: 1.1 })),
      ...line(run, mean, {
        label: titled(run, several ? "train" : `train, mean of ${mean.window} steps`),
        colour, width: 2.2, dash: dashOf(run), bad: several ? run.curves.loss : {},
      }),
      ...line(run, run.curves.val_loss, {
        label: titled(run, "validation"), points: true, width: 1.8,
        colour: several ? colour : colours[1], dash: several ? [6, 4] : null,
      }),
      ...(several ? [] : line(run, run.curves.val_loss_average,
        { label: "validation, averaged weights", colour: colours[3], points: true, dash: [6, 4], width: 1.6 })),
    ];
  });
  return [...lines, ...floorLines()];
}

// Each step faint and its mean on top where there is a mean, else the plain curve.
const plainLines = (name) => () => keel.faintFirst(runs.flatMap((run) => {
  const colour = keel.runColour(run.index);
  const label = titled(run, "") || keel.data.titles[name] || name;
  const mean = run.means[name];
  if (!mean) return line(run, run.curves[name], { label, colour, dash: dashOf(run) });
  return [
    ...line(run, run.curves[name], {
      label: several ? `${label}, each step` : "each step", width: 1,
      colour: keel.faint(colour, several ? 0.25 : 0.4), faint: true, quiet: several,
    }),
    ...line(run, mean, {
      label: several ? label : `mean of ${mean.window} steps`, colour, width: 2, dash: dashOf(run),
      bad: {},
    }),
  ];
}));

function groupLines(members) {
  const run = runs[Number(document.getElementById("layer-run").value || 0)];
  const known = members.filter((name) => run.curves[name]);
  return known.flatMap((name, index) => line(run, run.curves[name], {
    label: name.slice(name.indexOf("/") + 1).replace(/^layer0*(\d)/, "layer $1"),
    colour: keel.layerColour(index, known.length), width: 1.4,
  }));
}

// Loss, then the curves that every run has, then one chart for each group of layers or sources,
// then whatever else was measured.
function specs() {
  const events = runs.flatMap((run) => run.events
    .filter((event) => keel.data.marked_events.includes(event.kind)).map((event) => (
      { run, step: event.step, text: `${titled(run, "")} ${event.kind} at step ${event.step}`.trim() })));
  const has = (name) => runs.some((run) => drawable(run.curves[name]));
  const specs = [{
    id: "loss", title: "Loss", unit: "nats per token", wide: true, lines: lossLines, events,
  }].filter(() => has("loss") || has("val_loss"));
  const drawn = new Set(["loss", "val_loss", "val_loss_average"]);
  const plain = (name) => {
    drawn.add(name);
    if (!has(name)) return;
    specs.push({
      id: name, title: keel.data.titles[name] || name, unit: keel.data.units[name] || "",
      lines: plainLines(name), events,
    });
  };
  ["lr", "grad_norm", "tokens_per_second"].forEach(plain);
  const names = [...new Set(runs.flatMap((run) => Object.keys(run.curves)))].sort();
  const groups = new Map();
  for (const name of names.filter((n) => n.includes("/"))) {
    drawn.add(name);
    const group = name.slice(0, name.indexOf("/"));
    groups.set(group, [...(groups.get(group) || []), name]);
  }
  const first = [
    "attn_logit_max", "attn_entropy", "out_norm_qkv", "out_norm_proj", "out_norm_fc1",
    "out_norm_fc2", "update_ratio",
  ];
  const order = [...first.filter((g) => groups.has(g)), ...[...groups.keys()].filter((g) => !first.includes(g))];
  for (const group of order) {
    const members = groups.get(group);
    if (!members.some(has)) continue;
    specs.push({
      id: group, title: keel.data.titles[group] || group, unit: keel.data.units[group] || "",
      lines: () => groupLines(members), grouped: true,
    });
  }
  names.filter((name) => !drawn.has(name)).forEach(plain);
  return specs;
}
