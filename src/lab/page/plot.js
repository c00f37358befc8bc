// Pictures as SVG elements: scales, axes, marks, legends, and the figure around each with its
// table and its files to save. Colours are classes (.k0 to .k7, currentColor), so that a picture
// follows the theme in the page and carries both themes in a file.
"use strict";

keel.svg = (tag, attributes, ...children) => {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value !== null && value !== undefined) node.setAttribute(name, value);
  }
  for (const child of children) if (child !== null && child !== undefined) node.append(child);
  return node;
};

keel.shapes = {
  circle: "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
  square: "M-3.6 -3.6h7.2v7.2h-7.2z",
  triangle: "M0 -4.8L4.6 3.6H-4.6z",
  diamond: "M0 -5.2L5.2 0L0 5.2L-5.2 0z",
  down: "M0 4.8L4.6 -3.6H-4.6z",
  cross: "M-3.8 -3.8L3.8 3.8M3.8 -3.8L-3.8 3.8",
  plus: "M-4.8 0H4.8M0 -4.8V4.8",
};
// How series `index` differs from its neighbours: colour, shape and dash.
keel.style = (index) => ({
  k: index % 8,
  shape: ["circle", "square", "triangle", "diamond", "down"][index % 5],  // those that can be hollow
  dash: [null, "7 4", "2 3", "10 4 2 4"][index % 4],
});

const textWidth = (text, size = 12) => String(text).length * size * 0.56;
const plain = (value) => keel.number(value).replace("-", "−");

function linearTicks(low, high, count) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const stride = [1, 2, 5, 10].map((f) => f * power).find((s) => s >= rough * 0.9);
  const ticks = [];
  for (let i = Math.ceil(low / stride - 1e-9); i * stride <= high + stride * 1e-9; ++i) ticks.push(i * stride);
  return ticks.map((t) => Number(t.toPrecision(12)));
}

// As many as fit: `room` pixels, each label takes `label`.
function logTicks(low, high, room, label) {
  const decades = Math.log10(high / low);
  const labels = room / label / decades;  // of a decade
  const digits = labels > 9 ? [1, 1.5, 2, 3, 5, 7] : labels > 3.3 ? [1, 2, 5] : [1];
  const every = Math.max(1, Math.ceil(1 / labels));
  const ticks = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); ++power) {
    if (power % every !== 0) continue;
    ticks.push(...digits.map((d) => Number(`${d}e${power}`)).filter((t) => t >= low && t <= high));
  }
  return ticks.length < 2 ? linearTicks(low, high, 4) : ticks;
}

// Values to pixels [from, to] with some air. Logarithmic where asked for and all are positive.
keel.scale = (values, { log = false, from, to, air = 0.05, least = 0 }) => {
  const known = values.filter((v) => Number.isFinite(v));
  const isLog = log && known.length > 0 && known.every((v) => v > 0);
  const f = isLog ? Math.log : (v) => v;
  const back = isLog ? Math.exp : (v) => v;
  let low = known.length ? Math.min(...known.map(f)) : 0;
  let high = known.length ? Math.max(...known.map(f)) : 1;
  const span = Math.max(high - low, least || (isLog ? Math.log(1.5) : high > low ? 0 : Math.abs(high) * 0.1 || 1));
  const middle = (low + high) / 2;
  low = middle - span * (0.5 + air);
  high = middle + span * (0.5 + air);
  const place = (v) => from + (f(v) - low) / (high - low) * (to - from);
  const [first, last] = [back(low), back(high)];
  const room = Math.abs(to - from);
  const label = from < to ? 42 : 16;  // pixels: width along the horizontal axis, height along the other
  return { place, low: first, high: last, log: isLog, from, to,
    ticks: isLog ? logTicks(first, last, room, label) : linearTicks(first, last, Math.max(2, Math.round(room / (from < to ? 60 : 45)))) };
};

// One pair of axes with what is drawn between them, a <g>.
keel.Panel = class {
  // box: {left, top, width, height}; x, y: scales; labels may be absent.
  constructor({ box, x, y, xLabel, yLabel, title, xText = keel.rate, yText = plain, yTicks = true }) {
    Object.assign(this, { box, x, y });
    this.node = keel.svg("g");
    this.back = keel.svg("g");
    this.node.append(this.back);
    const bottom = box.top + box.height;
    if (yTicks) {
      let free = Infinity;
      for (const tick of y.ticks) {
        const at = y.place(tick);
        this.back.append(keel.svg("path", { class: "g", d: `M${box.left} ${at.toFixed(1)}h${box.width}` }));
        if (free - at < 13) continue;
        free = at;
        this.text(box.left - 6, at + 4, yText(tick), "m", "end");
      }
    }
    this.back.append(keel.svg("path", { class: "a", d: `M${box.left} ${bottom}h${box.width}` }));
    if (xText) this.xTicks(xText, bottom);
    if (xLabel) this.text(box.left + box.width / 2, bottom + 34, xLabel, "m", "middle");
    if (yLabel) this.text(box.left - 6, box.top - 8, yLabel, "m", "end");
    if (title) this.text(box.left, box.top - 8, title, "t b");
  }

  xTicks(xText, bottom) {
    let free = -Infinity;
    for (const tick of this.x.ticks) {
      const at = this.x.place(tick);
      const label = xText(tick);
      this.back.append(keel.svg("path", { class: "a", d: `M${at.toFixed(1)} ${bottom}v4` }));
      if (at - textWidth(label) / 2 < free) continue;
      free = at + textWidth(label) / 2 + 8;
      this.text(at, bottom + 17, label, "m", "middle");
    }
  }

  text(x, y, text, cls = "t", anchor = "start") {
    const node = keel.svg("text", { x: x.toFixed(1), y: y.toFixed(1), class: cls, "text-anchor": anchor }, text);
    this.node.append(node);
    return node;
  }

  add(tag, attributes, title) {
    const node = keel.svg(tag, attributes);
    if (title) node.append(keel.svg("title", {}, title));
    this.node.append(node);
    return node;
  }

  // points: [[x, y], ...]; a y that is null or not finite leaves a gap.
  line(points, { k, dash = null, width = 2, opacity = null }) {
    let d = "";
    let pen = "M";
    for (const [x, y] of points) {
      if (!Number.isFinite(y) || (this.y.log && y <= 0)) {
        pen = "M";
        continue;
      }
      d += `${pen}${this.x.place(x).toFixed(1)} ${this.y.place(y).toFixed(1)}`;
      pen = "L";
    }
    if (d) this.add("path", { class: `k${k}`, d, fill: "none", stroke: "currentColor", "stroke-width": width, "stroke-dasharray": dash, "stroke-opacity": opacity, "stroke-linejoin": "round" });
  }

  // At pixels, as intervals have their own places.
  mark(shape, px, py, { k, hollow = false, title, scale = 1 }) {
    this.node.append(keel.mark(shape, px, py, { k, hollow, title, scale }));
  }

  // A bar from pixel a to pixel b at height py; an end that is open has an arrow head.
  interval(a, b, py, { k, dash = null, openLow = false, openHigh = false, title }) {
    const cap = (at, open, side) => open ? `M${(at - side * 7).toFixed(1)} ${py - 4.5}L${at.toFixed(1)} ${py}L${(at - side * 7).toFixed(1)} ${py + 4.5}`
      : `M${at.toFixed(1)} ${py - 4}v8`;
    this.add("path", { class: `k${k}`, d: `M${a.toFixed(1)} ${py}H${b.toFixed(1)}`, stroke: "currentColor", "stroke-width": 2, "stroke-dasharray": dash, fill: "none" }, title);
    this.add("path", { class: `k${k}`, d: cap(a, openLow, -1) + cap(b, openHigh, 1), stroke: "currentColor", "stroke-width": 2, fill: "none" });
  }
};

keel.mark = (shape, x, y, { k, hollow = false, title, scale = 1 }) => {
  const lines = shape === "cross" || shape === "plus";
  return keel.svg("path", {
    class: hollow && !lines ? `k${k} hollow` : `k${k}`, d: keel.shapes[shape],
    transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})${scale === 1 ? "" : ` scale(${scale})`}`,
    fill: lines ? "none" : hollow ? null : "currentColor", stroke: "currentColor", "stroke-width": lines ? 2 : 1.5,
  }, title ? keel.svg("title", {}, title) : null);
};

// Entries {text, k, shape, hollow, dash, line} in lines that fit `width`; {node, height}.
keel.legend = (entries, left, top, width) => {
  const node = keel.svg("g");
  let x = left;
  let y = top;
  for (const e of entries) {
    const swatch = e.line ? 26 : 14;
    const room = swatch + 6 + textWidth(e.text);
    if (x > left && x + room > left + width) {
      x = left;
      y += 18;
    }
    if (e.line) node.append(keel.svg("path", { class: `k${e.k}`, d: `M${x} ${y - 4}h26`, stroke: "currentColor", "stroke-width": 2, "stroke-dasharray": e.dash || null }));
    if (e.bar) node.append(keel.svg("rect", { class: e.hollow ? `k${e.k} hollow` : `k${e.k}`, x: x + 2, y: y - 9, width: 10, height: 10, fill: e.hollow ? null : "currentColor", stroke: "currentColor" }));
    if (e.shape) node.append(keel.mark(e.shape, x + swatch / 2, y - 4, e));
    node.append(keel.svg("text", { x: x + swatch + 6, y, class: "m" }, e.text));
    x += room + 16;
  }
  return { node, height: y - top + 8 };
};

keel.picture = (width, height, label, ...children) => keel.svg("svg", {
  class: "fig", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label }, ...children);

// The picture as a file: colours of both themes inside, by media query.
keel.svgText = (picture) => {
  const copy = picture.cloneNode(true);
  const { light, dark } = keel.data.plot_style;
  const [, , width, height] = copy.getAttribute("viewBox").split(" ");
  copy.setAttribute("width", width);
  copy.setAttribute("height", height);
  if (!copy.querySelector(".bg")) copy.prepend(keel.svg("rect", { class: "bg", width, height }));
  copy.prepend(keel.svg("style", {}, `${light}@media(prefers-color-scheme:dark){${dark}}`));
  return new XMLSerializer().serializeToString(copy) + "\n";
};

keel.figures = [];

// spec: {id, title, unit, note, wide, minWidth, draw(width) -> svg, head, rows}. `rows` are what is
// drawn, as numbers and text: the table under the figure and its CSV.
keel.Figure = class {
  constructor(spec, parent) {
    this.spec = spec;
    this.holder = el("div", { class: "scroll picture", tabindex: "0", role: "group",
      "aria-label": `${spec.title}: picture. The data table below holds the same numbers.` });
    this.table = el("details", { class: "data", on: { toggle: () => this.fillTable() } }, el("summary", {}, "Data table"));
    const button = (text, what, save) => el("button", { type: "button", "aria-label": `Save ${spec.title} as ${what}`, on: { click: save } }, text);
    parent.append(el("figure", { class: spec.wide ? "card wide" : "card", id: `figure-${spec.id}`, "aria-label": spec.title },
      el("figcaption", {}, el("h3", {}, spec.title), el("span", { class: "unit" }, spec.unit || ""),
        el("span", { class: "files" }, button("CSV", "CSV", () => this.saveCsv()), button("SVG", "SVG", () => this.saveSvg()))),
      this.holder, spec.note ? el("p", { class: "event-note" }, spec.note) : null, this.table));
    keel.figures.push(this);
    this.fit();
    new ResizeObserver(() => setTimeout(() => this.fit())).observe(this.holder);
  }

  // Draws it anew where the room for it has changed; on paper the room is `given`.
  fit(given = this.holder.clientWidth) {
    const width = Math.max(this.spec.minWidth || 300, Math.floor(given));
    if (width === this.width) return;
    this.width = width;
    this.holder.replaceChildren(this.spec.draw(width));
  }

  csv() { return keel.csv(this.spec.head, this.spec.rows); }
  svg() { return keel.svgText(this.holder.querySelector("svg")); }
  saveCsv() { keel.save(`${this.spec.id}.csv`, "text/csv", this.csv()); }
  saveSvg() { keel.save(`${this.spec.id}.svg`, "image/svg+xml", this.svg()); }

  fillTable() {
    if (!this.table.open || this.table.querySelector("table")) return;
    const cell = (v) => typeof v === "number" ? el("td", { class: "num" }, keel.number(v)) : el("td", {}, v === null ? "–" : String(v));
    this.table.append(el("div", { class: "scroll", tabindex: "0" }, el("table", {},
      el("thead", {}, el("tr", {}, ...this.spec.head.map((text) => el("th", { scope: "col" }, text)))),
      el("tbody", {}, ...this.spec.rows.map((row) => el("tr", {}, ...row.map(cell)))))));
  }
};
