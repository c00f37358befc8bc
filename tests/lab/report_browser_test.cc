// The report page in a real browser.
#include <gtest/gtest.h>

#include "lab/browser.h"
#include "lab/fake_run.h"
#include "lab/report.h"

namespace keel {
namespace {

// Looks at the finished page: colours that each chart's canvas holds, then works it as a reader at
// the keyboard would.
constexpr const char* kProbe = R"(
function rgb(colour) {
  const hex = /^#(..)(..)(..)$/.exec(colour);
  return hex ? hex.slice(1).map((h) => parseInt(h, 16)) : colour.match(/\d+/g).slice(0, 3).map(Number);
}
function pixels(chart) {
  const canvas = chart.plot.querySelector("canvas");
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  return chart.lines.map((line) => {
    const wanted = rgb(line.colour);
    let count = 0;
    for (let i = 0; i < data.length; i += 4) {
      if (data[i + 3] > 60 && wanted.every((v, k) => Math.abs(v - data[i + k]) < 26)) ++count;
    }
    return { label: line.label, pixels: count };
  });
}
function probe() {
  const out = { problems, fetched: performance.getEntriesByType("resource").map((e) => e.name) };
  out.charts = keel.charts.map((chart) =>
    ({ id: chart.spec.id, drawn: chart.plot.dataset.drawn || "", lines: pixels(chart) }));
  const press = (key) => document.querySelector(".plot").dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  press("End");
  out.read = document.querySelector(".at").textContent;
  press("+");
  out.zoomed = keel.charts.every((chart) => chart.graph.isZoomed("x"));
  press("0");
  out.reset = keel.charts.every((chart) => !chart.graph.isZoomed());
  const theme = document.documentElement.dataset.theme;
  document.getElementById("theme").click();
  document.getElementById("theme").click();
  out.themes = [theme, document.documentElement.dataset.theme];
  out.dark = keel.charts.map((chart) => Math.min(...pixels(chart).map((line) => line.pixels)));
  const axis = document.getElementById("x-axis");
  axis.value = "tokens";
  axis.dispatchEvent(new Event("change"));
  out.last_token = keel.charts[0].rows.at(-1)[0];
  const table = document.querySelector("#chart-loss details");
  table.open = true;
  keel.charts[0].fillTable();
  out.table_rows = table.querySelectorAll("tbody tr").length;
  const search = document.querySelector("#config input[type=search]");
  const only = document.querySelector("#config input[type=checkbox]");
  only.checked = false;
  search.value = "optim.l";
  search.dispatchEvent(new Event("input"));
  out.found = [...document.querySelectorAll("#config tbody tr")].filter((r) => !r.hidden).map((r) => r.dataset.key);
  out.sample = (document.querySelector(".sample pre") || {}).textContent || "";
  const block = document.querySelector("#config svg.block");
  if (block) {
    out.block = { boxes: block.querySelectorAll("rect").length,
      width: block.getBoundingClientRect().width,
      text: document.getElementById(block.getAttribute("aria-describedby")).textContent,
      colour: getComputedStyle(block.querySelector("rect + text")).fill };
  }
  out.injected = document.querySelectorAll("b, i").length;
  return out;
})";

// What the probe found in the report of `runs`.
Json look_at(const TempDir& dir, std::span<const RunData> runs) {
  return look_at(dir, render_report(runs, {}), kProbe);
}

void expect_drawn_and_offline(const Json& found, const std::vector<std::string>& charts) {
  EXPECT_EQ(found.at("problems").dump(), "[]");
  EXPECT_EQ(found.at("fetched").dump(), "[]");
  std::vector<std::string> ids;
  for (const Json& chart : found.at("charts").as_array()) {
    ids.push_back(chart.at("id").as_string());
    EXPECT_NE(chart.at("drawn").as_string(), "") << ids.back();
    EXPECT_FALSE(chart.at("lines").as_array().empty()) << ids.back();
    for (const Json& line : chart.at("lines").as_array()) {
      EXPECT_GT(line.at("pixels").as_int(), 20) << ids.back() << ": " << line.at("label").dump();
    }
  }
  EXPECT_EQ(ids, charts);
}

const std::vector<std::string> kCharts = {
    "loss",           "lr",           "grad_norm",    "tokens_per_second",
    "attn_logit_max", "attn_entropy", "out_norm_qkv", "out_norm_proj",
    "out_norm_fc1",   "out_norm_fc2", "update_ratio"};

TEST(ReportInABrowser, DrawsEveryLineAndFetchesNothing) {
  if (browser().empty()) GTEST_SKIP() << "no Chromium on this machine (package chromium)";
  const TempDir dir;
  FakeRun fake;
  fake.nan_at = 120;
  fake.known = true;
  fake.sample = "</script><script>problems.push('ran')</script><b>x</b>";
  const RunData run = load_run_data(make_fake_run(dir / "a", fake));
  const Json found = look_at(dir, {&run, 1});
  if (found.find("charts") == nullptr) return;
  expect_drawn_and_offline(found, kCharts);
  EXPECT_EQ(found.at("sample").as_string(), fake.sample);
  EXPECT_EQ(found.at("injected").as_int(), 0);
  EXPECT_EQ(found.at("read").as_string(), "Step 300");
  EXPECT_TRUE(found.at("zoomed").as_bool());
  EXPECT_TRUE(found.at("reset").as_bool());
  EXPECT_EQ(found.at("themes").dump(), R"(["light","dark"])");
  for (const Json& pixels : found.at("dark").as_array()) EXPECT_GT(pixels.as_int(), 20);
  EXPECT_EQ(found.at("last_token").as_int(), 300 * 4096);
  EXPECT_EQ(found.at("table_rows").as_int(), 60);
  EXPECT_EQ(found.at("found").dump(), R"(["optim.lr"])");
  const Json& block = found.at("block");
  EXPECT_GT(block.at("boxes").as_int(), 20);
  EXPECT_GT(block.at("width").as_double(), 400);
  EXPECT_EQ(block.at("colour").as_string(), "rgb(231, 236, 241)");  // of the dark theme
  EXPECT_TRUE(block.at("text").as_string().starts_with("input:        [token table]"));
}

TEST(ReportInABrowser, OverlaysSeveralRuns) {
  if (browser().empty()) GTEST_SKIP() << "no Chromium on this machine (package chromium)";
  const TempDir dir;
  const RunData runs[] = {
      load_run_data(make_fake_run(dir / "a")),
      load_run_data(make_fake_run(dir / "b", {.steps = 200, .loss_shift = 0.5, .rate = 2e-3})),
      load_run_data(make_fake_run(dir / "c", {.metrics = false}))};
  const Json found = look_at(dir, runs);
  if (found.find("charts") == nullptr) return;
  EXPECT_EQ(found.at("problems").dump(), "[]");
  EXPECT_EQ(found.at("fetched").dump(), "[]");
  const auto& charts = found.at("charts").as_array();
  ASSERT_EQ(charts.size(), kCharts.size());
  std::vector<std::string> labels;
  for (const Json& line : charts[0].at("lines").as_array()) {
    labels.push_back(line.at("label").as_string());
    EXPECT_GT(line.at("pixels").as_int(), 20) << labels.back();
  }
  EXPECT_EQ(labels, (std::vector<std::string>{"a train", "a validation", "b train", "b validation",
                                              "entropy floor"}));
}

}  // namespace
}  // namespace keel
