// What the pages share beside their data: tables, files to save, drawings, the theme.
"use strict";

const el = keel.element;
const byId = (id) => document.getElementById(id);
const show = (id, ...nodes) => {
  byId(id).append(...nodes.filter((node) => node !== null));
  byId(id).hidden = false;
};
// head: [{text, num, title}], rows: elements.
const table = (caption, head, rows) => el("div", { class: "card scroll", tabindex: "0" },
  el("table", {}, caption ? el("caption", {}, caption) : null,
    el("thead", {}, el("tr", {}, ...head.map((h) =>
      el("th", { scope: "col", class: h.num ? "num" : null, title: h.title }, h.text)))),
    el("tbody", {}, ...rows)));

keel.sayWhoMadeIt = () => {
  byId("made").textContent = `Made by ${keel.data.program} on ${keel.data.generated}. ` +
    "This file is complete: it needs no network and no other file.";
};

keel.save = (name, type, text) => {
  const url = URL.createObjectURL(new Blob([text], { type }));
  el("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
};

// Lines end in LF. Text is quoted, numbers are not; what is not known is empty.
keel.csv = (head, rows) => {
  const cell = (v) => {
    if (v === null || v === undefined) return "";
    return typeof v === "number" ? String(v) : `"${String(v).replaceAll('"', '""')}"`;
  };
  return [head, ...rows].map((row) => row.map(cell).join(",")).join("\n") + "\n";
};

// The one markup that is taken from the data: this program drew it and escaped what is text in it.
keel.drawing = (svg) => {
  const parsed = new DOMParser().parseFromString(svg, "image/svg+xml");
  return document.importNode(parsed.documentElement, true);
};

// The theme follows the system until the reader picks one; the choice is kept where the browser
// allows a file to keep something. Paper is light. `redraw` is called after each change.
keel.startTheme = (redraw) => {
  const button = byId("theme");
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const kept = (() => { try { return localStorage.getItem("keel-theme"); } catch { return null; } })();
  let choice = ["light", "dark"].includes(kept) ? kept : "auto";
  const set = (theme) => {
    if (document.documentElement.dataset.theme === theme) return;
    document.documentElement.dataset.theme = theme;
    redraw();
  };
  const apply = () => {
    button.textContent = `Theme: ${choice}`;
    set(choice === "auto" ? (system.matches ? "dark" : "light") : choice);
  };
  button.addEventListener("click", () => {
    choice = { auto: "light", light: "dark", dark: "auto" }[choice];
    try { localStorage.setItem("keel-theme", choice); } catch { /* kept for this visit only */ }
    apply();
  });
  system.addEventListener("change", apply);
  window.addEventListener("beforeprint", () => set("light"));
  window.addEventListener("afterprint", apply);
  apply();
};
