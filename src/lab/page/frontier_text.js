// Numbers and findings of a frontier as text. What is not known is said, never left out.
"use strict";

// Three significant digits: no frontier is known better.
keel.rate = (v) => {
  if (v === null || v === undefined || !Number.isFinite(v)) return "–";
  const size = Math.abs(v);
  if (size !== 0 && (size < 1e-4 || size >= 1e6)) return Number(v.toPrecision(3)).toExponential().replace("e+", "e");
  return String(Number(v.toPrecision(3)));
};
const percent = (share) => `${Number((share * 100).toPrecision(3))} %`;
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
const plural = (count, one, many = `${one}s`) => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
const withUnit = (v, unit, digits = keel.number) => v === null || v === undefined ? "–" : `${digits(v)}${unit}`;

keel.bytes = (v) => {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (v >= 1024 && unit + 1 < units.length) {
    v /= 1024;
    ++unit;
  }
  return `${Number(v.toPrecision(3))} ${units[unit]}`;
};

// {main, sub}: the frontier and how sure it is. Where it is censored the value is a bound: on the
// side of the rates that train everything measured was stable, on the other nothing was.
keel.frontierText = (f) => {
  const has = (v) => v !== null && v !== undefined;
  const stable = keel.data.result.above ? "right" : "left";
  const to = keel.data.result.above ? "up to" : "down to";
  if (!f || !(has(f.value) || has(f.low) || has(f.high))) return { main: "not known", sub: "" };
  const between = has(f.low) && has(f.high) ? `${keel.rate(f.low)} to ${keel.rate(f.high)}`
    : has(f.low) ? `from ${keel.rate(f.low)}, open above`
      : has(f.high) ? `up to ${keel.rate(f.high)}, open below` : "no interval";
  if (!has(f.value)) return { main: "between bounds", sub: between };
  if (f.censored === stable) return { main: `stable ${to} ${keel.rate(f.value)}`, sub: `no failure ${to} there` };
  if (f.censored) {
    return { main: `${keel.data.result.above ? "below" : "above"} ${keel.rate(f.value)}`, sub: "fails at every rate that could tell" };
  }
  return { main: keel.rate(f.value), sub: between };
};

keel.headroomText = (arm) => {
  if (arm.headroom === null || arm.headroom === undefined) return "–";
  const censored = arm.training_frontier.censored;
  const sign = censored === "right" ? "≥ " : censored === "left" ? "≤ " : "";
  return `${sign}${keel.rate(arm.headroom)}×`;
};

keel.estimateText = (c) => {
  if (c.estimate === null && c.low === null && c.high === null) return "no estimate";
  const ratio = c.measure.endsWith("frontier");
  const number = (v) => ratio ? keel.rate(v) : `${v > 0 ? "+" : ""}${keel.rate(v)}`.replace("-", "−");
  const unit = ratio ? "×" : " nats";
  const low = c.low === null ? "open" : number(c.low);
  const high = c.high === null ? "open" : number(c.high);
  const interval = c.low === null && c.high === null ? "no interval" : `${low} to ${high}`;
  return c.estimate === null ? `${interval}${unit}` : `${number(c.estimate)}${unit} (${interval})`;
};

keel.pText = (p) => p === null || p === undefined ? "–" : p < 1e-4 ? "< 0.0001" : String(Number(p.toPrecision(2)));

// The two recipes that a contrast names, or null where its name is not of that form.
keel.sidesOf = (contrast, names) => {
  for (const sign of [" > ", " = ", " - "]) {
    for (let at = contrast.name.indexOf(sign); at >= 0; at = contrast.name.indexOf(sign, at + 1)) {
      const [first, second] = [contrast.name.slice(0, at), contrast.name.slice(at + sign.length)];
      if (names.includes(first) && names.includes(second)) return { first, second };
    }
  }
  return null;
};

// {winner, loser} where a contrast shows that one recipe is better: it differs, the interval leaves
// no doubt about the side, and the order holds under all three margins. Else null.
keel.shown = (contrast, names) => {
  const sides = keel.sidesOf(contrast, names);
  if (!sides || contrast.verdict !== "differs" || !contrast.order_holds || contrast.estimate === null) return null;
  const ratio = contrast.measure.endsWith("frontier");
  const further = contrast.estimate > 1 === keel.data.result.above;
  const first = ratio ? further : contrast.estimate < 0;
  return { winner: first ? sides.first : sides.second, loser: first ? sides.second : sides.first, contrast };
};

// One sentence about what was shown.
keel.shownText = ({ winner, loser, contrast }) => {
  const text = keel.estimateText(contrast);
  const p = contrast.holm_p ?? contrast.p;
  const sure = p === null || p === undefined ? "" : `, p ${p < 1e-4 ? "" : "= "}${keel.pText(p)}`;
  if (contrast.measure === "training_frontier") return `${winner} trains further ${keel.data.result.above ? "up" : "down"} than ${loser}: ${contrast.name}, ${text}${sure}.`;
  if (contrast.measure === "divergence_frontier") return `${winner} diverges only further ${keel.data.result.above ? "up" : "down"} than ${loser}: ${contrast.name}, ${text}${sure}.`;
  const where = contrast.measure === "common_loss" ? `at the common rate ${keel.rate(contrast.at)}` : "each at its own best rate";
  return `${winner} has the lower loss than ${loser}, ${where}: ${contrast.name}, ${text}${sure}.`;
};

// Sentences on what to switch on: only what contrasts show, and plainly where they show nothing.
keel.advice = (result) => {
  const names = result.arms.map((arm) => arm.name);
  const shown = result.contrasts.map((c) => keel.shown(c, names)).filter(Boolean);
  if (result.regime) return { lead: "Nothing is advised: this is not a test of the claim.", shown: [] };
  if (result.contrasts.length === 0) return { lead: "Nothing is advised: the file names no contrast, so no difference was tested.", shown: [] };
  if (shown.length === 0) return { lead: "Nothing is advised: no contrast shows a difference that holds under all three margins.", shown };
  const losers = new Set(shown.map((s) => s.loser));
  const best = [...new Set(shown.map((s) => s.winner))].filter((name) => !losers.has(name));
  const lead = best.length ? `${best.join(", ")}: shown to be better than what ${best.length > 1 ? "they were" : "it was"} compared with, and to be worse in no contrast.`
    : "No single recipe: each one that is better in one respect is worse in another.";
  return { lead, shown };
};
