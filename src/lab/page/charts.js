// One figure per chart: dygraphs draws; legend, values at the cursor, keyboard, marks of values
// that are not finite, and the table beside the picture are here.
"use strict";

keel.charts = [];
keel.window = null;  // what all charts are zoomed to on the horizontal axis

keel.Chart = class {
  // spec: {id, title, unit, wide, grouped, events, lines}; lines() gives [{label, run, curve, colour,
  // dash, width, points, bad, quiet}]: `bad` is another curve that holds the line's values that are
  // not finite (of a mean: what it is the mean of, or {} where that has a line too), quiet lines stay out of the legend.
  constructor(spec, parent) {
    this.spec = spec;
    this.hidden = new Set();
    this.log = false;
    this.plot = keel.element("div", {
      class: "plot", tabindex: "0", role: "group", id: `plot-${spec.id}`,
      "aria-label": `Chart: ${spec.title}. Arrow keys read values, plus and minus zoom, 0 shows all. The data table below holds the same numbers.`,
      on: { keydown: (event) => this.key(event) },
    });
    this.legend = keel.element("ul", { class: "legend", "aria-label": "Lines" });
    this.at = keel.element("output", { class: "at" });
    this.eventNote = keel.element("p", { class: "event-note", hidden: true });
    this.badNote = keel.element("p", { class: "bad-note", hidden: true });
    this.table = keel.element("details", { class: "data", on: { toggle: () => this.fillTable() } },
      keel.element("summary", {}, "Data table"));
    parent.append(keel.element("figure",
      { class: spec.wide ? "card wide" : "card", id: `chart-${spec.id}`, "aria-label": spec.title },
      keel.element("figcaption", {}, keel.element("h3", {}, spec.title),
        keel.element("span", { class: "unit" }, spec.unit || ""), this.at, this.logSwitch()),
      this.plot, this.legend, this.eventNote, this.badNote, this.table));
    this.fillEventNote();
    this.build();
    new ResizeObserver(() => this.graph && this.graph.resize()).observe(this.plot);
  }

  logSwitch() {
    const box = keel.element("input", {
      type: "checkbox",
      on: { change: () => { this.log = box.checked; this.build(); } },
    });
    return keel.element("label", {}, box, " log");
  }

  build() {
    if (this.graph) this.graph.destroy();
    this.lines = this.spec.lines();
    this.rows = keel.rows(this.lines);
    this.bad = this.lines.flatMap((line) =>
      ((line.bad || line.curve).bad || []).map(([step, kind]) => ({ line, step, kind })));
    delete this.plot.dataset.drawn;
    this.graph = new Dygraph(this.plot, this.rows, this.options());
    this.fillLegend();
    this.fillBadNote();
    if (this.table.open) this.fillTable();
  }

  options() {
    const axis = keel.axes[keel.axis];
    const series = {};
    this.lines.forEach((line, index) => {
      series[this.name(index)] = {
        strokeWidth: line.width || 1.6, strokePattern: line.dash || null, color: line.colour,
        drawPoints: !!line.points, pointSize: line.points ? 2.6 : 1,
      };
    });
    return {
      labels: ["x", ...this.lines.map((line, index) => this.name(index))],
      series, visibility: this.lines.map((line) => !this.hidden.has(line.label)),
      legend: "never", connectSeparatedPoints: true, logscale: this.log,
      dateWindow: keel.window, xRangePad: 4, yRangePad: 8, drawGapEdgePoints: true,
      gridLineColor: keel.css("--grid"), axisLineColor: keel.css("--axis"), gridLineWidth: 1,
      highlightCircleSize: 3.5, hideOverlayOnMouseOut: true,
      axes: {
        x: { drawGrid: false, axisLabelFormatter: axis.tick, axisLabelWidth: 70, pixelsPerLabel: 80 },
        y: { axisLabelFormatter: keel.number, axisLabelWidth: 52, pixelsPerLabel: this.spec.wide ? 34 : 26 },
      },
      underlayCallback: (context, area, graph) => this.drawMarks(context, area, graph),
      drawCallback: (graph) => this.drawn(graph),
      zoomCallback: () => keel.zoomAll(this, this.graph.isZoomed("x") ? this.graph.xAxisRange() : null),
      highlightCallback: (event, x, points, row) => this.read(row),
      unhighlightCallback: () => this.read(-1),
    };
  }

  // Labels of dygraphs must differ from each other; ours need not.
  name(index) {
    return `${index} ${this.lines[index].label}`;
  }

  drawn(graph) {
    this.plot.dataset.drawn = String(graph.numRows());
  }

  // A cross at the top and a line through the chart where a value is not finite; under it, the
  // events of the run that a reader should see (resume, stop, divergence).
  drawMarks(context, area, graph) {
    context.save();
    const mark = keel.css("--mark");
    for (const { line, step } of this.bad) {
      const x = graph.toDomXCoord(keel.place(line.run, step));
      if (x < area.x || x > area.x + area.w) continue;
      context.strokeStyle = mark;
      context.globalAlpha = 0.35;
      context.lineWidth = 1;
      context.beginPath();
      context.moveTo(x, area.y);
      context.lineTo(x, area.y + area.h);
      context.stroke();
      context.globalAlpha = 1;
      context.lineWidth = 2;
      context.beginPath();
      context.moveTo(x - 4, area.y + 3);
      context.lineTo(x + 4, area.y + 11);
      context.moveTo(x + 4, area.y + 3);
      context.lineTo(x - 4, area.y + 11);
      context.stroke();
    }
    context.strokeStyle = keel.css("--axis");
    context.setLineDash([3, 4]);
    context.lineWidth = 1;
    for (const { run, step } of this.spec.events || []) {
      const x = Math.round(graph.toDomXCoord(keel.place(run, step))) + 0.5;
      if (x < area.x || x > area.x + area.w) continue;
      context.beginPath();
      context.moveTo(x, area.y);
      context.lineTo(x, area.y + area.h);
      context.stroke();
    }
    context.restore();
  }

  swatch(line) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", "0 0 24 10");
    svg.setAttribute("aria-hidden", "true");
    const stroke = document.createElementNS(svg.namespaceURI, "path");
    stroke.setAttribute("d", "M0 5H24");
    stroke.setAttribute("stroke", line.colour);
    stroke.setAttribute("stroke-width", Math.max(2, line.width || 1.6));
    if (line.dash) stroke.setAttribute("stroke-dasharray", line.dash.join(" "));
    svg.append(stroke);
    if (line.points) {
      const dot = document.createElementNS(svg.namespaceURI, "circle");
      for (const [name, value] of [["cx", 12], ["cy", 5], ["r", 3], ["fill", line.colour]]) {
        dot.setAttribute(name, value);
      }
      svg.append(dot);
    }
    return svg;
  }

  fillLegend() {
    this.values = [];
    this.legend.replaceChildren(...this.lines.map((line, index) => {
      const value = keel.element("output", {});
      this.values.push(value);
      if (line.quiet) return "";
      const button = keel.element("button", {
        type: "button", "aria-pressed": String(!this.hidden.has(line.label)),
        title: "Show or hide this line",
        on: { click: () => this.toggle(index, button) },
      }, this.swatch(line), keel.element("span", {}, line.label), value);
      return keel.element("li", {}, button);
    }));
    this.read(-1);
  }

  toggle(index, button) {
    const label = this.lines[index].label;
    if (!this.hidden.delete(label)) this.hidden.add(label);
    const shown = !this.hidden.has(label);
    button.setAttribute("aria-pressed", String(shown));
    this.graph.setVisibility(index, shown);
  }

  fillEventNote() {
    const events = this.spec.wide ? this.spec.events || [] : [];
    this.eventNote.hidden = events.length === 0;
    const shown = events.slice(0, 8).map(({ text }) => text);
    const more = events.length > shown.length ? ` and ${events.length - shown.length} more` : "";
    this.eventNote.textContent = `┆ ${shown.join(", ")}${more}`;
  }

  fillBadNote() {
    const counted = new Map(this.lines.map((line) => [line.label, line.bad || line.curve])
      .filter(([, curve]) => curve.bad_count));
    this.badNote.hidden = counted.size === 0;
    this.badNote.textContent = [...counted].map(([label, curve]) =>
      `✕ ${label}: ${curve.bad_count} value${curve.bad_count === 1 ? "" : "s"} not finite, ` +
      `first ${curve.bad[0][1]} at step ${curve.bad[0][0]}`).join(" · ");
  }

  // The value of a line at a row: its own, or the last one before.
  valueAt(index, row) {
    for (let i = row; i >= 0 && i > row - 4000; --i) {
      if (this.rows[i][index + 1] !== null) return this.rows[i][index + 1];
    }
    return null;
  }

  read(row) {
    this.cursor = row;
    const known = row >= 0 && row < this.rows.length;
    this.values.forEach((value, index) => {
      value.textContent = known ? keel.number(this.valueAt(index, row)) : "";
    });
    const axis = keel.axes[keel.axis];
    this.at.textContent = known ? `${axis.label} ${axis.text(this.rows[row][0])}` : "";
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || this.rows.length === 0) return;
    const stride = event.shiftKey ? Math.max(1, Math.round(this.rows.length / 20)) : 1;
    const move = { ArrowRight: stride, ArrowLeft: -stride, Home: -1e9, End: 1e9 }[event.key];
    if (move !== undefined) {
      const from = this.cursor >= 0 ? this.cursor : move > 0 ? -1 : this.rows.length;
      const row = Math.min(this.rows.length - 1, Math.max(0, from + move));
      this.graph.setSelection(row);
      this.read(row);
    } else if (event.key === "+" || event.key === "=" || event.key === "-") {
      this.zoom(event.key === "-" ? 2 : 0.5);
    } else if (event.key === "0" || event.key === "Escape") {
      keel.zoomAll(null, null);
    } else {
      return;
    }
    event.preventDefault();
  }

  zoom(factor) {
    const [low, high] = this.graph.xAxisRange();
    const [first, last] = this.graph.xAxisExtremes();
    const middle = this.cursor >= 0 ? this.rows[this.cursor][0] : (low + high) / 2;
    const span = (high - low) * factor;
    if (span >= last - first) return keel.zoomAll(null, null);
    const start = Math.min(Math.max(first, middle - span / 2), last - span);
    keel.zoomAll(null, [start, start + span]);
  }

  // About sixty places over the whole curve, every line's value at each.
  fillTable() {
    if (!this.table.open) return;
    const count = Math.min(60, this.rows.length);
    const axis = keel.axes[keel.axis];
    const places = [...new Set(Array.from({ length: count }, (unused, i) =>
      Math.round(i * (this.rows.length - 1) / Math.max(1, count - 1))))];
    const head = [axis.label, ...this.lines.map((line) => line.label)];
    const body = places.map((row) => keel.element("tr", {},
      keel.element("th", { scope: "row", class: "num" }, axis.text(this.rows[row][0])),
      ...this.lines.map((line, index) =>
        keel.element("td", { class: "num" }, keel.number(this.valueAt(index, row))))));
    const caption = `${this.spec.title}: ${places.length} of ${this.rows.length} places`;
    this.table.replaceChildren(this.table.firstElementChild,
      keel.element("button", { type: "button", on: { click: () => this.saveCsv() } }, "Save all as CSV"),
      keel.element("div", { class: "scroll", tabindex: "0" }, keel.element("table", {},
        keel.element("caption", {}, caption),
        keel.element("thead", {}, keel.element("tr", {},
          ...head.map((text) => keel.element("th", { scope: "col", class: "num" }, text)))),
        keel.element("tbody", {}, ...body))));
  }

  saveCsv() {
    const head = [keel.axis, ...this.lines.map((line) => line.label)];
    keel.save(`${this.spec.id}.csv`, "text/csv", keel.csv(head, this.rows));
  }
};

// Zooms every chart but `source`, which did it itself; null shows everything.
keel.zoomAll = (source, range) => {
  keel.window = range;
  for (const chart of keel.charts) {
    if (chart === source && range) continue;
    if (range) chart.graph.updateOptions({ dateWindow: range });
    else if (chart.graph.isZoomed()) chart.graph.resetZoom();
  }
  document.getElementById("reset-zoom").hidden = range === null;
};
