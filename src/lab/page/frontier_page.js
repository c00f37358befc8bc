// Builds the page of a frontier from keel.data: the answer, the pictures, every number, the rule.
// All text goes in as text nodes.
"use strict";

const several = arms.length > 1;
const seedsText = () => {
  const counts = [...new Set(arms.map((arm) => arm.seeds))];
  if (counts.length === 0) return "no seeds";
  return counts.length === 1 ? `${plural(counts[0], "seed")} a recipe` : `${Math.min(...counts)} to ${Math.max(...counts)} seeds a recipe`;
};
const conditionsText = () => R.conditions.map(([name, value]) => `${name} ${value}`).join(", ");
const kMostSaid = 8;  // findings in the first screen; the tables below have all
const num = (text) => el("td", { class: "num" }, text);
const grid = (id, specs) => {
  const box = el("div", { class: "figure-grid" });
  show(id, box);
  specs.forEach((spec) => new keel.Figure(spec, box));
};
const none = (id, text) => show(id, el("p", { class: "card empty-note" }, text));

function header() {
  byId("title").textContent = R.title || `Frontier of ${R.key}`;
  byId("subtitle").textContent = [`Frontier of ${R.key}`, plural(arms.length, "recipe"), seedsText(), plural(R.trials, "trial"),
    ...(R.seconds > 0 ? [`${keel.duration(R.seconds)} of training`] : [])].join(" · ");
  keel.sayWhoMadeIt();
}

function banners() {
  const say = (kind, text) => byId("banners").append(el("p", { class: `banner ${kind}` }, text));
  if (R.regime) say("bad", `${capital(R.regime)}.`);
  if (R.failed > 0) say("bad", `${plural(R.failed, "trial")} of ${R.trials} failed by themselves and ${R.failed === 1 ? "is" : "are"} missing below.`);
  if (arms.some((arm) => arm.seeds < 2)) say("warn", "One seed cannot say how much seeds differ: there are no intervals and no verdicts.");
}

function frontierCell(f) {
  const text = keel.frontierText(f);
  return el("td", { class: "frontier" }, el("strong", {}, text.main),
    f.ill_determined ? el("span", { class: "state stopped" }, "ill-determined") : null,
    text.sub ? el("small", {}, text.sub) : null);
}

function answer() {
  if (arms.length === 0) return none("answer", "No recipe has been measured.");
  const interval = ` (${percent(R.level)} interval)`;
  const head = [{ text: "Recipe" }, { text: `Trains ${R.above ? "up" : "down"} to: training frontier${interval}` }, { text: "Is lost from: divergence frontier (last that passes to first that fails)" },
    { text: "Best rate", num: true }, { text: "Headroom", num: true }, { text: "Loss at best rate", num: true }];
  const rows = arms.map((arm) => el("tr", {}, el("th", { scope: "row" }, arm.name),
    frontierCell(arm.training_frontier), frontierCell(arm.divergence_frontier),
    num(keel.rate(arm.best_lr)), num(keel.headroomText(arm)), num(withUnit(arm.best_loss, " nats"))));
  show("answer", el("p", { class: "hint" }, `${R.key} at ${conditionsText() || "conditions that were not stated"}. ` +
    "Training frontier: where the loss becomes clearly worse than at the best rate. Divergence frontier: where runs are lost. They are two measurements and are not mixed. " +
    "Headroom: training frontier over best rate."),
  table(null, head, rows));
}

const lowest = (list, of) => list.reduce((best, arm) => known(of(arm)) && (best === null || of(arm) < of(best)) ? arm : best, null);

function advice() {
  const { lead, shown } = keel.advice(R);
  const byLoss = lowest(arms, (arm) => arm.best_loss);
  const byRoom = lowest(arms, (arm) => known(arm.headroom) ? -arm.headroom : null);
  const won = (arm, ratio) => shown.some((s) => s.winner === arm.name && isRatio(s.contrast) === ratio);
  const tested = (arm, ratio) => !several || won(arm, ratio) ? "" : " No contrast confirms that.";
  const facts = [
    byLoss ? `Lowest loss at its own best rate: ${byLoss.name}, ${keel.number(byLoss.best_loss)} nats a token at ${R.key} ${keel.rate(byLoss.best_lr)}.${tested(byLoss, false)}` : "No recipe has a best loss yet.",
    byRoom ? `Most headroom: ${byRoom.name}, ${keel.headroomText(byRoom)} its best rate${byRoom.training_frontier.ill_determined ? ", ill-determined" : ""}.${tested(byRoom, true)}` : "No recipe has a headroom yet.",
  ];
  show("switch", el("p", { class: "lead" }, lead),
    el("ul", {}, ...shown.slice(0, kMostSaid).map((s) => el("li", {}, keel.shownText(s))), ...facts.map((text) => el("li", { class: "quiet" }, text))));
}

const badge = (verdict) => el("span", { class: `verdict ${{ differs: "differs", tie: "tie" }[verdict] || "open"}` }, verdict);

function certainty() {
  if (R.contrasts.length === 0) {
    show("sure", el("p", {}, `${capital(seedsText())}. The file names no contrast: nothing was tested, so order in the table above is no finding.`));
    return;
  }
  const said = [["differs", "differs", "differ"], ["tie", "is a tie", "are ties"], ["not resolved", "is not resolved", "are not resolved"]]
    .map(([verdict, one, many]) => [R.contrasts.filter((c) => c.verdict === verdict).length, one, many])
    .filter(([count]) => count > 0).map(([count, one, many]) => `${count} ${count === 1 ? one : many}`);
  // Those with a claim and those that differ first.
  const weight = (c) => (c.claim ? 0 : 2) + (c.verdict === "differs" ? 0 : 1);
  const list = [...R.contrasts].sort((a, b) => weight(a) - weight(b));
  const more = list.length - kMostSaid;
  const names = new Set(list.map((c) => c.name)).size;
  const compared = names === list.length ? plural(names, "contrast") : `${list.length} comparisons (${plural(names, "contrast")}, by frontiers and losses)`;
  show("sure", el("p", { class: "lead" }, `${capital(seedsText())}. Of ${compared} fixed beforehand ${said.join(", ")}.`),
    el("ul", {}, ...list.slice(0, kMostSaid).map(sureItem)),
    more > 0 ? el("p", {}, el("a", { href: "#contrasts" }, `${more} more in the table of contrasts`)) : null);
}

function sureItem(c) {
  return el("li", {}, badge(c.verdict), ` ${c.name}, ${comparedOf(c)}: ${keel.estimateText(c)}`,
    c.claim ? `; claim ${c.claim}` : "", c.verdict === "differs" && !c.order_holds ? "; the order changes with the margin, so none is claimed" : "",
    c.verdict === "not resolved" ? `; these seeds cannot tell${known(c.seeds_to_resolve) ? `, about ${c.seeds_to_resolve} would` : ""}` : "", ".");
}

function numbers() {
  const head = ["Recipe, and what it sets", "Seeds", "Loss at best rate", "Best rate", "Training frontier", "Divergence frontier", "Headroom", "Update / weight",
    "Step, ms", "Memory", "Sensi\u00adtivity", "Logit RMS at start", "Branch RMS at start", ...(arms.some((a) => known(a.published)) ? ["Published"] : [])];
  const left = [0, 4, 5];
  const rows = arms.map((arm) => el("tr", {},
    el("th", { scope: "row" }, arm.name, el("small", { class: "mono sets" }, arm.sets.join("\n") || "the base")),
    num(String(arm.seeds)), num(keel.number(arm.best_loss)), num(keel.rate(arm.best_lr)),
    frontierCell(arm.training_frontier), frontierCell(arm.divergence_frontier), num(keel.headroomText(arm)), num(keel.rate(arm.update_ratio)),
    num(known(arm.step_seconds) ? keel.rate(arm.step_seconds * 1e3) : "–"), num(known(arm.peak_bytes) ? keel.bytes(arm.peak_bytes) : "–"),
    num(keel.rate(arm.sensitivity)), num(keel.rate(arm.logit_rms)), num(keel.rate(arm.branch_rms)),
    head.length > 13 ? num(keel.rate(arm.published)) : null));
  if (rows.length === 0) return none("numbers", "No recipe has been measured.");
  const box = table(null, head.map((text, i) => ({ text, num: !left.includes(i), title: text === "Published" ? R.published_label : null })), rows);
  box.classList.add("numbers");
  show("numbers", el("p", { class: "hint" }, "Losses and sensitivity in nats a token. Update / weight: ratio of their RMS at the end of warm-up, at the highest rate at or below the training frontier. Step and memory: medians over trials. " +
    "Sensitivity: mean loss over the grid above the lowest, each run at most its initial loss. " +
    (head.length > 13 ? `Published: ${R.published_label || "as the file gives it"}. ` : "") + "–: not known."), box);
}

function losses() {
  const drawn = arms.filter((arm) => arm.trials.length || arm.rates.length);
  if (drawn.length === 0) return none("losses", "No trial has a result yet.");
  show("losses", el("p", { class: "hint" }, "All frames share their axes. Shaded: the intervals of the frontiers."));
  grid("losses", [...(several ? [overviewFigure()] : []), ...arms.map((arm, i) => [arm, i]).filter(([arm]) => drawn.includes(arm)).map(([arm, i]) => armFigure(arm, i))]);
}

const trendText = (t) => {
  const text = (v) => keel.rate(v).replace("-", "−");
  const interval = known(t.low) && known(t.high) ? ` (${text(t.low)} to ${text(t.high)})` : ", no interval";
  return `${t.arm}, ${measureOf(t.measure)}: proportional to ${R.axis} to the power ${text(t.exponent)}${interval}; not to be used beyond ${keel.number(t.most)}.`;
};

function axis() {
  if (!R.axis || R.axis_points.length === 0) {
    return none("axis", R.axis ? `No frontier against ${R.axis} has been measured yet.` : "No axis was asked for: every frontier here holds for the one size that was run.");
  }
  byId("axis-title").textContent = `Frontier against ${R.axis}`;
  show("axis", el("p", { class: "hint" }, R.held_fixed.length ? `Held fixed: ${R.held_fixed.join(", ")}.` : "What is held fixed is not stated."));
  grid("axis", ["training_frontier", "divergence_frontier"].map(axisFigure));
  show("axis", R.axis_trends.length ? el("ul", { class: "trends" }, ...R.axis_trends.map((t) => el("li", {}, trendText(t))))
    : el("p", { class: "hint" }, "No trend was fitted: too few sizes with a frontier that is no mere bound."));
}

function growth() {
  const drawn = arms.map((arm, i) => [arm, i]).filter(([arm]) => arm.healthy || arm.failing);
  const missing = arms.filter((arm) => !arm.healthy && !arm.failing).map((arm) => arm.name);
  if (drawn.length === 0) return none("growth", "No trial recorded the norms of its layers.");
  show("growth", el("p", { class: "hint" }, "RMS of the outputs of the four linear maps of a block and the largest attention logit, in one run that trains and one that does not. " +
    (missing.length ? `Not recorded: ${missing.join(", ")}.` : "")));
  grid("growth", drawn.map(([arm, i]) => growthFigure(arm, i)));
}

function contrasts() {
  if (R.contrasts.length === 0) return none("contrasts", "The file names no contrast.");
  grid("contrasts", [true, false].filter((ratio) => R.contrasts.some((c) => isRatio(c) === ratio)).map(contrastFigure));
  const head = ["Contrast", "Measure", "Verdict", "Claim", "Estimate (interval)", "p", "Holm p", "Order under three margins", "Smallest p", "Seeds to resolve"];
  const rows = R.contrasts.map((c) => el("tr", {}, el("th", { scope: "row" }, c.name), el("td", { class: "whole" }, comparedOf(c)), el("td", {}, badge(c.verdict)),
    el("td", {}, c.claim || "–"), el("td", { class: "whole" }, keel.estimateText(c)), num(keel.pText(c.p)), num(keel.pText(c.holm_p)), el("td", {}, c.order_holds ? "holds" : "does not hold"),
    num(keel.pText(c.smallest_p)), num(known(c.seeds_to_resolve) ? String(c.seeds_to_resolve) : "–")));
  show("contrasts", el("p", { class: "hint" }, "Differs: the interval excludes no difference. Tie: it lies inside the stated margin. Not resolved: neither, which is no tie. " +
    "Smallest p: what these seeds allow without a normal distribution. Seeds to resolve: to find a difference of one grid ratio with probability 0.8."),
  table(null, head.map((text, i) => ({ text, num: [5, 6, 8, 9].includes(i) })), rows));
  if (R.rankings.length) show("contrasts", rankings());
}

function rankings() {
  const margins = [R.rule.margin, R.rule.narrow_margin, R.rule.wide_margin];
  const same = new Set(R.rankings.map((order) => JSON.stringify(order))).size === 1;
  return table(`Order by training frontier under the three margins: ${same ? "the same." : "it changes, so it is no finding as a whole."}`,
    [{ text: "Margin" }, { text: "Order, best first" }],
    R.rankings.map((order, i) => el("tr", {}, el("th", { scope: "row" }, keel.number(margins[i])), el("td", { class: "text" }, order.join(", ")))));
}

function trials() {
  const all = arms.flatMap((arm) => arm.trials.map((t) => ({ arm: arm.name, ...t })));
  if (all.length === 0) return none("trials", "No trial has a result yet.");
  const head = ["Trial", "Recipe", R.key, "Seed", "Loss, nats", "Verdict", "Why"];
  const why = (t) => [t.reason, known(t.step) ? `settled at step ${t.step}` : "", t.stopped_early ? "stopped early" : ""].filter(Boolean).join("; ");
  const search = el("input", { type: "search", placeholder: "Find a recipe, verdict or id", "aria-label": "Find a trial" });
  const count = el("span", { "aria-live": "polite" });
  const save = el("button", { type: "button", on: { click: () => keel.save("trials.csv", "text/csv",
    keel.csv(["id", "recipe", R.key, "seed", "loss", "verdict", "reason", "step", "stopped_early"],
      all.map((t) => [t.id, t.arm, t.rate, t.seed, t.loss, t.verdict, t.reason, t.step, t.stopped_early ? "yes" : "no"]))) } }, "CSV");
  const box = el("details", { class: "card box" }, el("summary", {}, `${plural(all.length, "trial")}: id, rate, seed, loss, verdict, reason`),
    el("div", { class: "tools" }, search, save, count));
  let rows = null;
  const filter = () => {
    const wanted = search.value.toLowerCase();
    let shown = 0;
    for (const row of rows) {
      row.hidden = !row.textContent.toLowerCase().includes(wanted);
      shown += row.hidden ? 0 : 1;
    }
    count.textContent = `${shown} of ${rows.length}`;
  };
  search.addEventListener("input", filter);
  box.addEventListener("toggle", () => {
    if (!box.open || rows) return;
    rows = all.map((t) => el("tr", {}, el("th", { scope: "row", class: "mono" }, t.id), el("td", {}, t.arm), num(keel.rate(t.rate)), num(String(t.seed)),
      num(keel.number(t.loss)), el("td", {}, t.verdict), el("td", { class: "text" }, why(t))));
    box.append(table(null, head.map((text, i) => ({ text, num: [2, 3, 4].includes(i) })), rows));
    filter();
  });
  show("trials", box);
}

function ruleText() {
  const r = R.rule;
  const checked = arms.filter((a) => a.early_stops_checked > 0);
  return [
    `Diverged: a loss that is not finite; or, after warm-up and one window, the mean of the last window above H1, and ${percent(r.rise_above)} above its lowest, in at least ${percent(r.share_above)} of the remaining steps; ` +
      `or that mean more than ${r.margin} (H1 − m) above its own earlier minimum m for ${percent(r.recovery_share)} of the run on end.`,
    `Does not train: it did not diverge, but its final validation loss is above L* + ${r.margin} (H1 − L*), where L* is the lowest mean over seeds of the recipe on the common grid.`,
    `H1, the unigram entropy of the training split: ${known(R.unigram_entropy) ? `${keel.number(R.unigram_entropy)} nats` : "not known"}; bigram entropy: ${known(R.bigram_entropy) ? `${keel.number(R.bigram_entropy)} nats` : "not known"}. ` +
      `Window: ${percent(r.window_share)} of the steps, at least ${r.window_min}.`,
    `An order is claimed only where it holds with the margins ${r.narrow_margin} and ${r.wide_margin} as well.`,
    `Early stop, by loss alone and the same for all recipes: diverged as above, or that mean above ${r.stop_factor} times the first loss. ` +
      (known(R.early_stop_agreement) ? `Within a factor 1.5 of the frontier it agrees with full runs in ${percent(R.early_stop_agreement)}` : "Its agreement with full runs was not measured") +
      (checked.length ? ` (${checked.map((a) => `${a.name} ${a.early_stops_right} of ${a.early_stops_checked}`).join(", ")})` : "") +
      (known(R.early_stop_saving) ? `; it saved ${percent(R.early_stop_saving)} of the steps ` +
        `(${arms.filter((a) => known(a.early_stop_saving)).map((a) => `${a.name} ${percent(a.early_stop_saving)}`).join(", ")}).` : "."),
    "Training frontier: the first crossing of that bound beyond the best rate, interpolated in log rate. Divergence frontier: between the last rate before which all seeds pass and the first that diverges. " +
      `Grid ratio ${keel.number(R.ratio)}; ${percent(R.level)} intervals by a two-way model in log rate with the seed as block. Ill-determined: a standard error above a factor 1.5.`,
  ];
}

function method() {
  const part = (title, ...content) => show("method", el("h3", {}, title), ...content);
  const pairs = (list, empty) => list.length ? table(null, [{ text: "What" }, { text: "Value" }],
    list.map(([name, value]) => el("tr", {}, el("th", { scope: "row" }, name), el("td", { class: "mono text" }, value)))) : el("p", { class: "card empty-note" }, empty);
  part("Caveats", R.notes.length ? el("ul", {}, ...R.notes.map((text) => el("li", {}, text))) : el("p", {}, "None was stated."));
  part("The rule", el("ul", {}, ...ruleText().map((text) => el("li", {}, text))));
  part("Conditions and data", pairs(R.conditions, "Not stated."));
  part("Commands", R.commands.length ? el("pre", { class: "card commands", tabindex: "0" }, R.commands.join("\n")) : el("p", {}, "Not stated."));
  part("Versions", pairs(R.versions, "Not stated."));
}

// Rules of the pictures in the theme of the page.
function paint() {
  const { light, dark } = keel.data.plot_style;
  byId("plot-style").textContent = keel.theme() === "dark" ? light + dark : light;
}

document.head.append(el("style", { id: "plot-style" }));
keel.startTheme(paint);
window.addEventListener("beforeprint", () => keel.figures.forEach((figure) => figure.fit(720)));
window.addEventListener("afterprint", () => keel.figures.forEach((figure) => figure.fit()));
header();
banners();
answer();
advice();
certainty();
if (arms.length) grid("charts", [ladderFigure()]);
else none("charts", "No recipe has been measured.");
numbers();
losses();
axis();
growth();
contrasts();
trials();
method();
