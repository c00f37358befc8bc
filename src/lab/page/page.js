// Builds the page from keel.data: what the run came to, the charts, samples, events, configuration
// and environment. All text goes in as text nodes.
"use strict";

const chip = (index) => {
  const mark = el("span", { class: "chip", "aria-hidden": "true", "data-run": String(index) });
  mark.style.borderTopColor = keel.runColour(index);
  return mark;
};
const runName = (run) => several ? [chip(run.index), run.name] : [run.name];

function header() {
  const title = several ? `${runs.length} runs compared` : runs[0].name;
  byId("title").textContent = title;
  byId("subtitle").textContent = several
    ? runs.map((run) => run.name).join(" · ")
    : "Training run of " + keel.data.program;
  keel.sayWhoMadeIt();
}

function banners() {
  for (const run of runs) {
    const lead = several ? `${run.name}: ` : "";
    if (run.summary.reason) {
      byId("banners").append(el("p", { class: "banner bad", role: "alert" }, `${lead}${run.summary.reason}`));
    }
    for (const note of run.notes) {
      byId("banners").append(el("p", { class: "banner warn" }, lead + note));
    }
  }
}

// [label, text, small text below or null] for one run.
function figures(run) {
  const s = run.summary;
  const of = (value, text) => value === null ? null : text(value);
  const aboveFloor = s.floor !== null && s.val_loss !== null
    ? `${(s.val_loss - s.floor).toFixed(3)} above the entropy floor` : null;
  const best = s.best_val_loss !== null && s.best_val_loss < s.val_loss
    ? `best ${s.best_val_loss.toFixed(4)} at step ${s.best_val_step}` : null;
  return [
    ["State", s.state, null],
    ["Validation loss", of(s.val_loss, (v) => v.toFixed(4)), aboveFloor || best || "nats per token"],
    ["Training loss", of(s.train_loss, (v) => v.toFixed(4)), "mean of the last 20 steps"],
    ["Steps", s.steps === null ? null : s.steps.toLocaleString("en"),
      s.total_steps ? `of ${s.total_steps.toLocaleString("en")}` : null],
    ["Tokens", of(s.tokens, keel.count), null],
    ["Tokens per second", of(s.tokens_per_second, keel.count), "median step"],
    ["Time", of(s.seconds, keel.duration), null],
    ["Parameters", of(s.parameters, keel.count), null],
  ];
}

function summary() {
  const state = (name) => el("span", { class: `state ${name}` }, name);
  if (!several) {
    const tiles = figures(runs[0]).filter(([, text]) => text !== null).map(([label, text, small]) =>
      el("div", {}, el("dt", {}, label),
        el("dd", {}, label === "State" ? state(text) : text, small ? el("small", {}, small) : null)));
    byId("summary").append(el("dl", { class: "card tiles" }, ...tiles));
    return;
  }
  const lowest = Math.min(...runs.map((run) => run.summary.val_loss ?? Infinity));
  const labels = figures(runs[0]).map(([label]) => label);
  const rows = runs.map((run) => el("tr", {}, el("th", { scope: "row" }, ...runName(run)),
    ...figures(run).map(([label, text]) => {
      const best = label === "Validation loss" && run.summary.val_loss === lowest;
      return el("td", { class: label === "State" ? null : "num" },
        label === "State" ? state(text) : best ? el("strong", {}, `${text} (lowest)`) : text ?? "–");
    })));
  byId("summary").append(table(null,
    [{ text: "Run" }, ...labels.map((text) => ({ text, num: text !== "State" }))], rows));
}

function charts() {
  const list = specs();
  const grouped = list.some((spec) => spec.grouped);
  byId("layer-run").append(...runs.map((run) => el("option", { value: run.index }, run.name)));
  byId("layer-run-box").hidden = !(several && grouped);
  if (list.length === 0) {
    document.querySelector("#charts .hint").hidden = true;
    byId("chart-grid").replaceWith(el("p", { class: "card empty-note" },
      "Nothing has been measured yet: curves appear here after the first steps."));
    return;
  }
  for (const spec of list) keel.charts.push(new keel.Chart(spec, byId("chart-grid")));
  byId("layer-run").addEventListener("change", () =>
    keel.charts.filter((chart) => chart.spec.grouped).forEach((chart) => chart.build()));
}

function samples() {
  const card = (run, sample) => el("article", { class: "card sample" },
    el("h3", {}, ...(several ? [...runName(run), ", "] : []), `step ${sample.step}`),
    el("pre", { tabindex: "0" }, sample.text));
  for (const run of runs.filter((r) => r.samples.length)) {
    const newest = [...run.samples].reverse();
    show("samples", ...newest.slice(0, 2).map((sample) => card(run, sample)));
    if (newest.length > 2) {
      show("samples", el("details", {}, el("summary", {}, `${newest.length - 2} earlier`),
        ...newest.slice(2).map((sample) => card(run, sample))));
    }
  }
}

function events() {
  const rows = runs.flatMap((run) => run.events.map((event) => el("tr", {},
    several ? el("th", { scope: "row" }, ...runName(run)) : null,
    el("td", { class: "num" }, String(event.step)),
    el("td", { class: "num" }, event.time),
    el("td", {}, event.kind), el("td", { class: "text" }, event.text))));
  if (rows.length === 0) return;
  const head = [{ text: "Step", num: true }, { text: "Time (UTC)", num: true }, { text: "Kind" }, { text: "What" }];
  const list = table(null, several ? [{ text: "Run" }, ...head] : head, rows);
  show("events", rows.length <= 12 ? list
    : el("details", { class: "card box" }, el("summary", {}, `${rows.length} events`), list));
}

// Keys of all runs in the order of the first that has them, with the value of each run.
function merged(entriesOf) {
  const keys = new Map();
  runs.forEach((run, index) => entriesOf(run).forEach((entry) => {
    if (!keys.has(entry.key)) keys.set(entry.key, new Array(runs.length).fill(null));
    keys.get(entry.key)[index] = entry;
  }));
  return [...keys].map(([key, entries]) => ({
    key, entries,
    differs: new Set(entries.map((entry) => entry && entry.value)).size > 1,
    set: entries.some((entry) => entry && entry.origin && entry.origin !== "default"),
  }));
}

function valuesTable(rows, origin) {
  return table(null,
    [{ text: "Key" }, ...runs.map((run) => ({ text: several ? run.name : "Value" })),
      ...(origin ? [{ text: "From" }] : [])],
    rows.map((row) => el("tr", { class: row.set ? "set" : null, "data-key": row.key },
      el("th", { scope: "row", class: "mono" }, row.key),
      ...row.entries.map((entry) => el("td", { class: "mono text" }, entry ? entry.value : "–")),
      origin ? el("td", { class: "origin" },
        [...new Set(row.entries.map((entry) => entry && entry.origin).filter(Boolean))].join(", ")) : null)));
}

function blocks() {
  for (const run of runs.filter((r) => r.block)) {
    const id = `block-${run.index}`;
    const picture = keel.drawing(run.block_svg);
    picture.setAttribute("aria-describedby", id);
    show("config", el("details", { class: "card box", open: several ? null : true },
      el("summary", {}, ...(several ? [...runName(run), ": "] : []), "The block, as it is set"),
      el("div", { class: "scroll", tabindex: "0" }, picture),
      el("details", { class: "alternative" }, el("summary", {}, "The same as text"),
        el("pre", { id, tabindex: "0" }, run.block))));
  }
}

function config() {
  const rows = merged((run) => run.config);
  if (rows.length === 0) return;
  const list = valuesTable(rows, true);
  const search = el("input", { type: "search", placeholder: "Find a key, value or origin", "aria-label": "Find in the configuration" });
  const only = el("input", { type: "checkbox" });
  const count = el("span", { "aria-live": "polite" });
  const filter = () => {
    const wanted = search.value.toLowerCase();
    let shown = 0;
    [...list.querySelectorAll("tbody tr")].forEach((row, index) => {
      const kept = !only.checked || (several ? rows[index].differs : rows[index].set);
      row.hidden = !(kept && row.textContent.toLowerCase().includes(wanted));
      shown += row.hidden ? 0 : 1;
    });
    count.textContent = `${shown} of ${rows.length} keys`;
  };
  search.addEventListener("input", filter);
  only.addEventListener("change", filter);
  only.checked = several;
  filter();
  const label = several ? " only where the runs differ" : " only what was set";
  show("config", el("details", { class: "card box", open: several || null },
    el("summary", {}, "Every value and where it came from"),
    el("div", { class: "tools" }, search, el("label", {}, only, label), count), list));
}

function environment() {
  const rows = merged((run) => run.environment);
  if (rows.length === 0) return;
  show("environment", el("details", { class: "card box" },
    el("summary", {}, "Machine, build and libraries"), valuesTable(rows, false)));
}

function axisSwitch() {
  const select = byId("x-axis");
  select.append(...keel.knownAxes().map((name) => el("option", { value: name }, keel.axes[name].label)));
  select.addEventListener("change", () => {
    keel.axis = select.value;
    keel.zoomAll(null, null);
    keel.charts.forEach((chart) => chart.build());
  });
  byId("reset-zoom").addEventListener("click", () => keel.zoomAll(null, null));
}

function redraw() {
  document.querySelectorAll(".chip").forEach((mark) => {
    mark.style.borderTopColor = keel.runColour(Number(mark.dataset.run));
  });
  keel.charts.forEach((chart) => chart.build());
}

keel.startTheme(redraw);
header();
banners();
summary();
axisSwitch();
charts();
samples();
events();
blocks();
config();
environment();
