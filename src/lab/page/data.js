// The run data of the page: curves by run, the horizontal axis they are drawn over, colours, and
// numbers as text. Values that are not finite arrive as null and are kept apart in `bad`.
"use strict";
const keel = {};

keel.data = JSON.parse(document.getElementById("report-data").textContent);

// Colours that stay apart for colour-blind readers and reach 3:1 on the card behind them.
keel.palette = {
  light: ["#0b62a8", "#c2410c", "#0a7d57", "#a3338b", "#8a6400", "#3b4754", "#5b4bd6", "#b3261e"],
  dark: ["#56b4e9", "#f59e42", "#2ecc9a", "#e58cc0", "#f0e060", "#c3ccd6", "#a99bff", "#ff8f85"],
};
keel.dashes = [null, [7, 4], [2, 3], [10, 4, 2, 4]];

keel.theme = () => document.documentElement.dataset.theme === "dark" ? "dark" : "light";
keel.css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

keel.runColour = (index) => {
  const colours = keel.palette[keel.theme()];
  return colours[index % colours.length];
};

// Layers run through one ramp, from the first layer to the last, of even steps in lightness.
keel.layerColour = (index, count) => {
  const stops = keel.theme() === "dark"
    ? [[255, 209, 102], [78, 205, 160], [110, 168, 254], [214, 120, 230]]
    : [[176, 84, 0], [10, 125, 87], [11, 98, 168], [126, 34, 140]];
  const at = count > 1 ? index / (count - 1) * (stops.length - 1) : 0;
  const low = Math.min(Math.floor(at), stops.length - 2);
  const mix = stops[low].map((v, i) => Math.round(v + (stops[low + 1][i] - v) * (at - low)));
  return `rgb(${mix.join(",")})`;
};

keel.faint = (colour, share) => {
  const hex = /^#(..)(..)(..)$/.exec(colour);
  const parts = hex.slice(1).map((h) => parseInt(h, 16));
  return `rgba(${parts.join(",")},${share})`;
};

// At most four significant digits, without a trailing run of zeros.
keel.number = (value) => {
  if (value === null || value === undefined) return "–";
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e15)) return Number(value.toPrecision(3)).toExponential();
  if (size >= 1e4) return keel.count(value);
  return String(Number(value.toPrecision(4)));
};

// 941, 41.2k, 1.05M.
keel.count = (value) => {
  if (value === null || !Number.isFinite(value)) return "–";
  const units = ["", "k", "M", "G", "T", "P"];
  let unit = 0;
  while (Math.abs(value) >= 999.5 && unit + 1 < units.length) {
    value /= 1e3;
    ++unit;
  }
  if (unit === 0 && Number.isInteger(value)) return String(value);
  return String(Number(value.toPrecision(3))) + units[unit];
};

keel.duration = (seconds) => {
  if (seconds === null || !Number.isFinite(seconds)) return "–";
  const whole = Math.round(seconds);
  const two = (n) => String(n).padStart(2, "0");
  const days = Math.floor(whole / 86400);
  const clock = `${two(Math.floor(whole / 3600) % 24)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
  return days > 0 ? `${days}d ${clock}` : clock;
};

keel.axes = {
  step: { label: "Step", text: (x) => String(Math.round(x)), tick: (x) => Number.isInteger(x) ? keel.count(x) : "" },
  tokens: { label: "Tokens", text: keel.count, tick: keel.count },
  seconds: { label: "Time", text: keel.duration, tick: keel.duration },
};
keel.axis = "step";

// Only axes that every run with curves knows.
keel.knownAxes = () => Object.keys(keel.axes).filter((name) =>
  name === "step" || keel.data.runs.every((run) => !run.axis || run.axis[name]));

// Lines are drawn in order: what stays in the background comes first.
keel.faintFirst = (lines) => [...lines.filter((line) => line.faint), ...lines.filter((line) => !line.faint)];

// The place of `step` on the chosen axis, between the two known points around it.
keel.place = (run, step) => {
  if (keel.axis === "step" || !run.axis) return step;
  const steps = run.axis.step;
  const values = run.axis[keel.axis];
  let low = 0;
  let high = steps.length - 1;
  if (high < 1) return values[0];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (steps[middle] <= step) low = middle; else high = middle;
  }
  const share = (step - steps[low]) / (steps[high] - steps[low]);
  return values[low] + share * (values[high] - values[low]);
};

// Rows [x, value of line 0, value of line 1, ...] over the union of all places: null where a line
// has no point (drawn through), NaN where its value is not finite (a gap).
keel.rows = (lines) => {
  const byPlace = new Map();
  lines.forEach((line, index) => {
    line.curve.x.forEach((step, i) => {
      const x = keel.place(line.run, step);
      let row = byPlace.get(x);
      if (!row) {
        row = new Array(lines.length + 1).fill(null);
        row[0] = x;
        byPlace.set(x, row);
      }
      row[index + 1] = line.curve.y[i] === null ? NaN : line.curve.y[i];
    });
  });
  return [...byPlace.values()].sort((a, b) => a[0] - b[0]);
};

// An element with text and attributes; text is never parsed as HTML.
keel.element = (tag, attributes, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") {
      for (const [event, handler] of Object.entries(value)) node.addEventListener(event, handler);
    } else {
      node.setAttribute(name, value === true ? "" : value);
    }
  }
  for (const child of children) {
    if (child !== null && child !== undefined) node.append(child);
  }
  return node;
};
