// The pictures of a frontier's page: what each draws and the numbers that belong to it.
"use strict";

// Contrasts as asked for, then those of the other measures.
const R = { ...keel.data.result, contrasts: [...keel.data.result.contrasts, ...keel.data.result.further_contrasts] };
const arms = R.arms;
const verdictMarks = {
  trains: { shape: "circle", k: 0 },
  "does not train": { shape: "square", k: 1, hollow: true },
  diverged: { shape: "cross", k: 7 },
};
const markOf = (verdict) => verdictMarks[verdict] || { shape: "plus", k: 5 };
const known = (v) => v !== null && v !== undefined && Number.isFinite(v);
const isRatio = (contrast) => contrast.measure.endsWith("frontier");
const measureNames = {
  training_frontier: "training frontier", divergence_frontier: "divergence frontier",
  best_loss: "loss at own best rate", common_loss: "loss at a common rate",
};
const measureOf = (name) => measureNames[name] || name;
const comparedOf = (c) => known(c.at) ? `${measureOf(c.measure)} (${keel.rate(c.at)})` : measureOf(c.measure);
const ends = (f) => [f.value, f.low, f.high].filter(known);
// What an axis of rates shows: those that were tried, and of the frontiers what lies at most half a
// decade beyond them; the rest ends in an arrow.
function ratesOf(list) {
  const tried = list.flatMap((arm) => arm.rates.map((r) => r.rate)).filter((v) => known(v) && v > 0);
  const found = list.flatMap((arm) => [...ends(arm.training_frontier), ...ends(arm.divergence_frontier), arm.best_lr]).filter(known);
  if (tried.length === 0) return found;
  const [least, most] = [Math.min(...tried) / Math.sqrt(10), Math.max(...tried) * Math.sqrt(10)];
  return [...tried, ...found.map((v) => Math.min(most, Math.max(least, v)))];
}
const lossesOf = (list) => list.flatMap((arm) => arm.trials.map((t) => t.loss)).filter(known);

function ladderFigure() {
  const rows = arms.flatMap((arm) => ["training_frontier", "divergence_frontier"].map((name) => {
    const f = arm[name];
    return [arm.name, measureOf(name), f.value, f.low, f.high, f.censored || "", f.ill_determined ? "yes" : "no", arm.published ?? null];
  }));
  return {
    id: "ladder", title: "The ladder", unit: `${R.key}; training with ${percent(R.level)} intervals, divergence from the last that passes to the first that fails`, wide: true,
    minWidth: 760, rows,
    head: ["recipe", "frontier", "value", "low", "high", "censored", "ill-determined", R.published_label || "published"],
    draw: () => {
      const picture = keel.drawing(keel.data.ladder_svg);
      picture.querySelectorAll("style").forEach((style) => style.remove());
      return picture;
    },
  };
}

// The mean over seeds of every recipe in one frame; where all seeds of a rate fail the mark is hollow.
function overviewFigure() {
  const drawn = arms.map((arm, index) => ({ arm, ...keel.style(index) })).filter(({ arm }) => arm.rates.some((r) => known(r.mean_loss)));
  return {
    id: "loss-by-rate", title: "Loss against rate, all recipes", unit: "validation loss, nats a token, mean over seeds", wide: true,
    head: ["recipe", R.key, "seeds", "mean loss", "share diverged", "share not training"],
    rows: arms.flatMap((arm) => arm.rates.map((r) => [arm.name, r.rate, r.seeds, r.mean_loss, r.share_diverged, r.share_not_training])),
    note: "A hollow mark: no seed trains at this rate. Lost runs count with their initial loss.",
    draw: (width) => {
      const box = { left: 52, top: 30, width: width - 70, height: 300 };
      const legend = keel.legend(drawn.map((d) => ({ ...d, line: true, text: d.arm.name })), box.left, box.top + box.height + 62, box.width);
      const height = box.top + box.height + 62 + legend.height;
      const p = new keel.Panel({
        box, xLabel: R.key, yLabel: "loss",
        x: keel.scale(ratesOf(arms), { log: true, from: box.left, to: box.left + box.width }),
        y: keel.scale([...drawn.flatMap(({ arm }) => arm.rates.map((r) => r.mean_loss)), R.unigram_entropy].filter(known), { from: box.top + box.height, to: box.top }),
      });
      unigramLine(p);
      for (const { arm, k, shape, dash } of drawn) {
        p.line(arm.rates.map((r) => [r.rate, r.mean_loss]), { k, dash });
        for (const r of arm.rates.filter((one) => known(one.mean_loss))) {
          p.mark(shape, p.x.place(r.rate), p.y.place(r.mean_loss), { k, hollow: failing(r) >= 0.999,
            title: `${arm.name}, ${R.key} ${keel.rate(r.rate)}: mean loss ${keel.number(r.mean_loss)} nats a token, ${percent(failing(r))} of ${r.seeds} seeds fail` });
        }
      }
      return keel.picture(width, height, "Loss against rate, all recipes", p.node, legend.node);
    },
  };
}

const failing = (rate) => rate.share_diverged + rate.share_not_training;

function unigramLine(p) {
  const h1 = R.unigram_entropy;
  if (!known(h1) || h1 < p.y.low || h1 > p.y.high) return;
  p.line([[p.x.low, h1], [p.x.high, h1]], { k: 5, dash: "2 4", width: 1.5 });
  p.text(p.box.left + 4, p.y.place(h1) - 5, `H1 ${keel.number(h1)}, unigram entropy`, "m");
}

// One recipe: every seed, the mean, both frontiers, and under it the share of failing seeds.
function armFigure(arm, index) {
  const seeds = [...new Set(arm.trials.map((t) => t.seed))].sort((a, b) => a - b);
  return {
    id: `loss-by-rate-${index + 1}`, title: arm.name, unit: `every seed (${seeds.length}), loss in nats a token`,
    head: [R.key, "seed", "loss", "verdict"],
    rows: [...arm.trials].sort((a, b) => a.rate - b.rate || a.seed - b.seed).map((t) => [t.rate, t.seed, t.loss, t.verdict]),
    draw: (width) => {
      const box = { left: 52, top: 46, width: width - 68, height: 190 };
      const strip = { left: box.left, top: box.top + box.height + 26, width: box.width, height: 34 };
      const x = keel.scale(ratesOf(arms), { log: true, from: box.left, to: box.left + box.width });
      const p = new keel.Panel({
        box, x, xText: null,
        y: keel.scale([...lossesOf(arms), R.unigram_entropy].filter(known), { from: box.top + box.height, to: box.top }),
      });
      unigramLine(p);
      const both = [[arm.training_frontier, { k: 0, at: box.top - 30, name: "training" }],
        [arm.divergence_frontier, { k: 7, at: box.top - 14, name: "divergence", dash: "7 4" }]];
      both.forEach((one) => frontierLine(p, ...one));
      both.forEach((one) => frontierLabel(p, ...one));
      p.line(arm.rates.map((r) => [r.rate, r.mean_loss]), { k: 5, width: 1.8 });
      seedMarks(p, arm, seeds);
      const share = shareStrip(strip, x, arm);
      const top = strip.top + strip.height + 58;
      const legend = keel.legend([
        ...Object.entries(verdictMarks).map(([text, style]) => ({ text, ...style })),
        { text: "mean", line: true, k: 5 }, ...(known(arm.best_lr) ? [{ text: "best rate", shape: "triangle", k: 2 }] : []),
        { text: "share diverged", bar: true, k: 7 }, { text: "share not training", bar: true, hollow: true, k: 1 },
      ], 12, top, width - 20);
      if (known(arm.best_lr)) {
        p.mark("triangle", x.place(arm.best_lr), box.top + box.height - 6, { k: 2, title: `best rate ${keel.rate(arm.best_lr)}` });
      }
      return keel.picture(width, top + legend.height, `Loss against rate of ${arm.name}`, p.node, share.node, legend.node);
    },
  };
}

// Seeds stand a little apart, so that equal losses do not hide each other.
function seedMarks(p, arm, seeds) {
  const step = Math.min(5, 20 / Math.max(1, seeds.length));
  for (const t of arm.trials) {
    const away = (seeds.indexOf(t.seed) - (seeds.length - 1) / 2) * step;
    const title = `${R.key} ${keel.rate(t.rate)}, seed ${t.seed}: ${known(t.loss) ? `loss ${keel.number(t.loss)}` : "no finite loss"}, ${t.verdict}${t.stopped_early ? ", stopped early" : ""}`;
    const py = known(t.loss) ? p.y.place(t.loss) : p.box.top + 5;
    p.mark(markOf(t.verdict).shape, p.x.place(t.rate) + away, py, { ...markOf(t.verdict), title, scale: 0.8 });
  }
}

const inside = ({ box, x }, v) => Math.min(box.left + box.width, Math.max(box.left, x.place(v)));

function frontierLine(p, f, { k, at, dash = null }) {
  if (!known(f.value)) return;
  const { box, x } = p;
  const arrow = (px, py, side) => p.add("path", { class: `k${k}`, d: `M${px.toFixed(1)} ${py}h${14 * side}m${-6 * side} -4l${6 * side} 4l${-6 * side} 4`, stroke: "currentColor", "stroke-width": 2, fill: "none" });
  if (known(f.low) && known(f.high)) {
    const a = inside(p, f.low);
    p.add("rect", { class: `k${k}`, x: a, y: box.top, width: Math.max(1, inside(p, f.high) - a), height: box.height, fill: "currentColor", "fill-opacity": 0.12 });
    if (f.low < x.low) arrow(box.left + 15, box.top + 8, -1);
    if (f.high > x.high) arrow(box.left + box.width - 15, box.top + 8, 1);
  }
  const px = inside(p, f.value);
  p.add("path", { class: `k${k}`, d: `M${px.toFixed(1)} ${at - 4}V${box.top + box.height}`, stroke: "currentColor", "stroke-width": 2, "stroke-dasharray": dash });
  if (f.censored) arrow(px, at + 4, f.censored === "right" ? 1 : -1);
  else if (f.value > x.high || f.value < x.low) arrow(px, at + 4, f.value > x.high ? 1 : -1);
}

// Beside its line, on the side that has room.
function frontierLabel(p, f, { at, name }) {
  const { box } = p;
  const label = `${name}: ${keel.frontierText(f).main}${f.ill_determined ? " (ill-determined)" : ""}`;
  if (!known(f.value)) {
    p.text(box.left, at + 8, label, "m");
    return;
  }
  const px = inside(p, f.value);
  const right = px + 6 + (f.censored === "right" ? 14 : 0);
  if (right + textWidth(label) < box.left + box.width + 14) p.text(right, at + 8, label, "t");
  else p.text(px - 6 - (f.censored === "left" ? 14 : 0), at + 8, label, "t", "end");
}

function shareStrip(box, x, arm) {
  const y = keel.scale([0, 1], { from: box.top + box.height, to: box.top, air: 0 });
  y.ticks = [0, 1];
  const p = new keel.Panel({ box, x, y, xLabel: R.key, yText: percent });
  const places = arm.rates.map((r) => x.place(r.rate)).sort((a, b) => a - b);
  const gap = places.slice(1).reduce((least, at, i) => Math.min(least, at - places[i]), 40);
  const wide = Math.max(3, Math.min(16, gap * 0.6));
  for (const r of arm.rates) {
    const left = (x.place(r.rate) - wide / 2).toFixed(1);
    const title = `${R.key} ${keel.rate(r.rate)}: ${percent(r.share_diverged)} of ${r.seeds} seeds diverge, ${percent(r.share_not_training)} do not train`;
    const lost = r.share_diverged * box.height;
    const weak = r.share_not_training * box.height;
    const bottom = box.top + box.height;
    if (lost > 0) p.add("rect", { class: "k7", x: left, y: bottom - lost, width: wide, height: lost, fill: "currentColor", stroke: "currentColor" }, title);
    if (weak > 0) p.add("rect", { class: "k1 hollow", x: left, y: bottom - lost - weak, width: wide, height: weak, stroke: "currentColor", "stroke-width": 1.5 }, title);
  }
  return p;
}

// A frontier against the axis: training or divergence, each in a frame of its own.
function axisFigure(name) {
  const points = R.axis_points;
  const names = [...new Set(points.map((p) => p.arm))];
  const trends = R.axis_trends.filter((t) => t.measure === name);
  return {
    id: `axis-${name.replace("_", "-")}`, title: `${capital(measureOf(name))} against ${R.axis}`, unit: R.key,
    head: ["recipe", R.axis, "value", "low", "high", "censored", "ill-determined"],
    rows: points.map((p) => [p.arm, p.at, p[name].value, p[name].low, p[name].high, p[name].censored || "", p[name].ill_determined ? "yes" : "no"]),
    draw: (width) => axisPicture(name, points, names, trends, width),
  };
}

function axisPicture(name, points, names, trends, width) {
  const box = { left: 58, top: 28, width: width - 78, height: 260 };
  const reach = trends.filter((t) => known(t.coefficient)).map((t) => t.most);
  const found = points.map((q) => q[name].value).filter(known);
  const [least, most] = [Math.min(...found) / Math.sqrt(10), Math.max(...found) * Math.sqrt(10)];
  const values = [...points.flatMap((q) => ends(q[name])).map((v) => found.length ? Math.min(most, Math.max(least, v)) : v),
    ...trends.filter((t) => known(t.coefficient)).map((t) => t.coefficient * t.most ** t.exponent)];
  const p = new keel.Panel({
    box, xLabel: R.axis, xText: keel.number, yText: keel.rate,
    x: keel.scale([...points.map((q) => q.at), ...reach], { log: true, from: box.left, to: box.left + box.width }),
    y: keel.scale(values, { log: true, from: box.top + box.height, to: box.top }),
  });
  for (const t of trends.filter((one) => known(one.coefficient))) {
    const { k, dash } = keel.style(names.indexOf(t.arm));
    const first = Math.min(...points.filter((q) => q.arm === t.arm).map((q) => q.at));
    const line = Array.from({ length: 25 }, (unused, i) => first * (t.most / first) ** (i / 24));
    p.line(line.map((at) => [at, t.coefficient * at ** t.exponent]), { k, dash, width: 1.5, opacity: 0.7 });
  }
  names.forEach((arm, index) => {
    const style = keel.style(index);
    for (const q of points.filter((one) => one.arm === arm && known(one[name].value))) {
      const px = p.x.place(q.at) + (index - (names.length - 1) / 2) * 7;
      axisMark(p, q[name], px, style, `${arm}, ${R.axis} ${keel.number(q.at)}`);
    }
  });
  const legend = keel.legend(names.map((text, index) => ({ text, ...keel.style(index), line: true })), box.left, box.top + box.height + 62, box.width);
  return keel.picture(width, box.top + box.height + 62 + legend.height, `${measureOf(name)} against ${R.axis}`, p.node, legend.node);
}

function axisMark(p, f, px, { k, shape }, where) {
  const text = keel.frontierText(f);
  const top = known(f.high) ? Math.max(p.box.top, p.y.place(f.high)) : null;
  const bottom = known(f.low) ? Math.min(p.box.top + p.box.height, p.y.place(f.low)) : null;
  const py = p.y.place(f.value);
  const head = (at, up) => p.add("path", { class: `k${k}`, d: `M${px - 4} ${at - 6 * up}L${px} ${at}L${px + 4} ${at - 6 * up}`, stroke: "currentColor", "stroke-width": 2, fill: "none" });
  if (known(f.high) && f.high > p.y.high) head(p.box.top, -1);
  if (known(f.low) && f.low < p.y.low) head(p.box.top + p.box.height, 1);
  if (top !== null || bottom !== null) {
    p.add("path", { class: `k${k}`, d: `M${px} ${top ?? py}V${bottom ?? py}`, stroke: "currentColor", "stroke-width": 2 });
  }
  if (f.censored) {
    const up = f.censored === "right" ? -1 : 1;
    p.add("path", { class: `k${k}`, d: `M${px} ${py}v${22 * up}m-4 ${-6 * up}l4 ${6 * up}l4 ${-6 * up}`, stroke: "currentColor", "stroke-width": 2, fill: "none" });
  }
  p.mark(shape, px, py, { k, hollow: Boolean(f.censored) || f.ill_determined, title: `${where}: ${text.main}, ${text.sub}` });
}

const growthNames = {
  attn_logit_max: "Largest attention logit", "out_norm/qkv": "Output of QKV", "out_norm/proj": "Output of Proj",
  "out_norm/fc1": "Output of FC1", "out_norm/fc2": "Output of FC2",
};

// The growth of norms in a run that trains and in one that does not, on one scale each.
function growthFigure(arm, index) {
  const runs = [["healthy", arm.healthy, { k: 0, dash: null }], ["failing", arm.failing, { k: 7, dash: "6 3" }]].filter(([, run]) => run);
  const all = [...new Set(runs.flatMap(([, run]) => Object.keys(run.series)))];
  const names = [...Object.keys(growthNames).filter((n) => all.includes(n)), ...all.filter((n) => !growthNames[n]).sort()];
  const described = ([what, run]) => `${what}: ${R.key} ${keel.rate(run.rate)}, seed ${run.seed}, ${run.verdict}`;
  return {
    id: `growth-${index + 1}`, title: arm.name, unit: "largest over layers, by step", wide: true,
    head: ["run", "trial", "series", "step", "value"],
    rows: runs.flatMap(([what, run]) => names.filter((n) => run.series[n]).flatMap((n) =>
      run.series[n].steps.map((step, i) => [what, run.id, n, step, run.series[n].values[i]]))),
    note: !arm.failing ? "No run of this recipe failed, so there is none to compare with."
      : !arm.healthy ? "No run of this recipe trained, so there is none to compare with." : null,
    draw: (width) => {
      const columns = Math.max(1, Math.min(names.length, Math.floor(width / 210)));
      const [cell, high] = [width / columns, 190];
      const lines = Math.ceil(names.length / columns);
      const panels = names.map((name, i) => growthPanel(name, runs, {
        left: (i % columns) * cell + 50, top: Math.floor(i / columns) * high + 30, width: cell - 66, height: high - 74 }));
      const legend = keel.legend(runs.map((run) => ({ text: described(run), line: true, ...run[2] })), 12, lines * high + 14, width - 24);
      return keel.picture(width, lines * high + 14 + legend.height, `Growth of norms of ${arm.name}`, ...panels.map((p) => p.node), legend.node);
    },
  };
}

function growthPanel(name, runs, box) {
  const series = runs.filter(([, run]) => run.series[name]).map(([, run, style]) => ({ ...run.series[name], style }));
  const x = keel.scale(series.flatMap((s) => s.steps), { from: box.left, to: box.left + box.width, air: 0.02 });
  const p = new keel.Panel({
    box, x, title: growthNames[name] || name, xText: keel.count, yText: keel.number,
    y: keel.scale(series.flatMap((s) => s.values.filter(known)), { log: true, from: box.top + box.height, to: box.top, least: Math.log(4) }),
  });
  p.text(box.left + box.width, box.top + box.height + 31, "step", "m", "end");
  for (const s of series) {
    p.line(s.steps.map((step, i) => [step, s.values[i]]), s.style);
    const last = s.values.findLastIndex((v) => known(v) && (!p.y.log || v > 0));
    if (last >= 0) p.mark(s.style.dash ? "cross" : "circle", x.place(s.steps[last]), p.y.place(s.values[last]), { k: s.style.k, scale: 0.9, title: `${keel.number(s.values[last])} at step ${s.steps[last]}` });
  }
  return p;
}

const contrastMarks = {
  differs: { shape: "circle", k: 0 }, tie: { shape: "square", k: 2, hollow: true }, "not resolved": { shape: "diamond", k: 5, hollow: true, dash: "3 3" },
};

// Contrasts of frontiers are ratios, those of losses differences in nats: a figure each.
function contrastFigure(ratio) {
  const list = R.contrasts.filter((c) => isRatio(c) === ratio);
  return {
    id: ratio ? "contrasts-frontiers" : "contrasts-losses", wide: true,
    title: ratio ? "Contrasts of frontiers" : "Contrasts of losses",
    unit: ratio ? "ratio, first recipe over second" : "nats a token, first recipe minus second",
    head: ["contrast", "measure", "estimate", "low", "high", "p", "Holm p", "verdict"],
    rows: list.map((c) => [c.name, comparedOf(c), c.estimate, c.low, c.high, c.p, c.holm_p, c.verdict]),
    draw: (width) => contrastPicture(list, ratio, width),
  };
}

// Wide enough for every estimate and for intervals up to a factor 5 (a share of the span for losses)
// beyond them; what is longer ends in an arrow.
function contrastScale(list, ratio, none, box) {
  const core = [none, ...(ratio ? [R.ratio, 1 / R.ratio] : []), ...list.map((c) => c.estimate)].filter((v) => known(v) && (!ratio || v > 0));
  const [low, high] = [Math.min(...core), Math.max(...core)];
  const span = high - low || 0.1;
  const [least, most] = ratio ? [low / 5, high * 5] : [low - span, high + span];
  const bounds = list.flatMap((c) => [c.low, c.high]).filter(known).map((v) => Math.min(most, Math.max(least, v)));
  return keel.scale([...core, ...bounds], { log: ratio, from: box.left, to: box.left + box.width });
}

function contrastPicture(list, ratio, width) {
  const row = 42;
  const box = { left: 16, top: 14, width: width - 32, height: list.length * row };
  const none = ratio ? 1 : 0;
  const x = contrastScale(list, ratio, none, box);
  const p = new keel.Panel({ box, x, y: { ticks: [], place: (v) => v }, xText: ratio ? (v) => `${keel.rate(v)}×` : (v) => keel.number(v).replace("-", "−") });
  if (ratio) {
    const [a, b] = [x.place(1 / R.ratio), x.place(R.ratio)];
    p.add("rect", { class: "k5", x: a, y: box.top, width: b - a, height: box.height, fill: "currentColor", "fill-opacity": 0.1 });
  }
  p.add("path", { class: "a", d: `M${x.place(none).toFixed(1)} ${box.top}v${box.height}`, "stroke-width": 1.5 });
  list.forEach((c, i) => {
    const y = box.top + i * row + 30;
    const style = contrastMarks[c.verdict] || contrastMarks["not resolved"];
    const label = `${c.name}, ${comparedOf(c)}`;
    p.text(box.left, y - 14, label, "t");
    if (box.width > (label.length + 36) * 6.7) p.text(box.left + box.width, y - 14, `${keel.estimateText(c)}: ${c.verdict}`, "m", "end");
    if (known(c.low) || known(c.high)) {
      const [openLow, openHigh] = [!known(c.low) || c.low < x.low, !known(c.high) || c.high > x.high];
      p.interval(openLow ? box.left : x.place(c.low), openHigh ? box.left + box.width : x.place(c.high), y, { k: style.k, dash: style.dash, openLow, openHigh });
    }
    if (known(c.estimate)) p.mark(style.shape, x.place(c.estimate), y, { ...style, title: `${label}: ${keel.estimateText(c)}, ${c.verdict}` });
  });
  const entries = Object.entries(contrastMarks).map(([text, style]) => ({ text, ...style }));
  if (ratio) entries.push({ text: `within one grid ratio (${keel.rate(R.ratio)})`, bar: true, hollow: true, k: 5 });
  const legend = keel.legend(entries, 16, box.top + box.height + 42, width - 32);
  return keel.picture(width, box.top + box.height + 42 + legend.height, ratio ? "Contrasts of frontiers" : "Contrasts of losses", p.node, legend.node);
}
