// The page of a frontier in a real browser.
#include <gtest/gtest.h>

#include "lab/browser.h"
#include "lab/fake_frontier.h"
#include "lab/search/page.h"

namespace keel {
namespace {

// Looks at every figure, saves its files, reads tables, changes the theme, prints.
constexpr const char* kProbe = R"js(
function probe() {
  const out = { problems, fetched: performance.getEntriesByType("resource").map((e) => e.name) };
  const text = (id) => document.getElementById(id).textContent;
  out.banners = text("banners");
  out.answer = [...document.querySelectorAll("#answer tbody tr")].map((row) => [...row.children].map((c) => c.textContent).join("|"));
  out.switch_on = text("switch");
  out.sure = text("sure");
  for (const id of ["losses", "axis", "growth", "contrasts", "trials", "method", "charts"]) out[id] = text(id);
  const saved = [];
  window.Blob = class { constructor(parts) { this.text = parts.join(""); } };
  URL.createObjectURL = (blob) => { saved.push({ text: blob.text }); return "#"; };
  HTMLAnchorElement.prototype.click = function () { saved.at(-1).name = this.download; };
  out.figures = [];
  for (const figure of document.querySelectorAll("figure")) {
    const svg = figure.querySelector("svg");
    const box = svg.getBoundingClientRect();
    const table = figure.querySelector("details.data");
    table.open = true;
    table.dispatchEvent(new Event("toggle"));
    saved.length = 0;
    for (const button of figure.querySelectorAll(".files button")) button.click();
    const [csv, picture] = saved.map((s) => s.text);
    const parsed = new DOMParser().parseFromString(picture, "image/svg+xml");
    const marks = [...svg.querySelectorAll("path, circle, rect")];
    out.figures.push({ id: figure.id, width: box.width, height: box.height, marks: marks.length,
      names: saved.map((s) => s.name), lines: csv.trim().split("\n").length, head: csv.split("\n")[0],
      whole: parsed.documentElement.tagName, styled: picture.includes("prefers-color-scheme:dark"),
      broken: marks.filter((m) => /NaN|Infinity|undefined/.test(m.outerHTML)).length });
  }
  out.rows = [...document.querySelectorAll("figure details.data")].map((d) => d.querySelectorAll("tbody tr").length);
  const letters = () => document.querySelector("#figure-ladder .t");
  const colour = () => (letters() ? getComputedStyle(letters()).fill : "") + " " + getComputedStyle(document.body).backgroundColor;
  const theme = document.getElementById("theme");
  out.light = colour();
  theme.click();
  theme.click();
  out.dark = colour();
  dispatchEvent(new Event("beforeprint"));
  out.printed = colour();
  out.paper = Math.max(...keel.figures.map((figure) => figure.width));
  dispatchEvent(new Event("afterprint"));
  out.after = colour();
  const trials = document.querySelector("#trials details");
  if (trials) {
    trials.open = true;
    trials.dispatchEvent(new Event("toggle"));
    out.trial_rows = trials.querySelectorAll("tbody tr").length;
    const search = trials.querySelector("input[type=search]");
    search.value = "diverged";
    search.dispatchEvent(new Event("input"));
    out.found = trials.querySelectorAll("tbody tr:not([hidden])").length;
    out.first_trial = trials.querySelector("tbody tr").textContent;
  }
  out.unreachable = [...document.querySelectorAll("figure .picture")].filter((e) => e.tabIndex !== 0).length;
  out.unnamed = [...document.querySelectorAll("svg[role=img], button, input")].filter((e) => !(e.getAttribute("aria-label") || e.textContent)).length;
  out.injected = document.querySelectorAll("b, i, img").length;
  out.wide = document.documentElement.scrollWidth;
  return out;
})js";

Json look_at(const TempDir& dir, const FrontierResult& result) {
  return look_at(dir, render_frontier_page(result, {}), kProbe);
}

std::string text(const Json& found, const char* key) { return found.at(key).as_string(); }

void expect_sound(const Json& found) {
  EXPECT_EQ(found.at("problems").dump(), "[]");
  EXPECT_EQ(found.at("fetched").dump(), "[]");
  EXPECT_EQ(found.at("injected").as_int(), 0);
  EXPECT_EQ(found.at("unreachable").as_int(), 0);
  EXPECT_EQ(found.at("unnamed").as_int(), 0);
  EXPECT_LE(found.at("wide").as_int(), 1200) << "the page itself scrolls sideways";
  for (const Json& figure : found.at("figures").as_array()) {
    const std::string id = text(figure, "id");
    const std::string name = id.substr(std::string("figure-").size());
    EXPECT_GT(figure.at("width").as_double(), 300) << id;
    EXPECT_GT(figure.at("height").as_double(), 80) << id;
    EXPECT_GT(figure.at("marks").as_int(), 5) << id;
    EXPECT_EQ(figure.at("broken").as_int(), 0) << id;
    EXPECT_EQ(figure.at("names").dump(),
              Json::array().push(name + ".csv").push(name + ".svg").dump());
    EXPECT_GT(figure.at("lines").as_int(), 1) << id;
    EXPECT_EQ(text(figure, "whole"), "svg") << id;
    EXPECT_TRUE(figure.at("styled").as_bool()) << id;
  }
  for (const Json& rows : found.at("rows").as_array()) EXPECT_GT(rows.as_int(), 0);
}

std::vector<std::string> ids(const Json& found) {
  std::vector<std::string> out;
  for (const Json& figure : found.at("figures").as_array()) out.push_back(text(figure, "id"));
  return out;
}

bool has(const std::string& whole, const std::string& part) {
  return whole.find(part) != std::string::npos;
}

TEST(FrontierInABrowser, AnswersInTheFirstScreen) {
  if (browser().empty()) GTEST_SKIP() << "no Chromium on this machine (package chromium)";
  const TempDir dir;
  const Json found = look_at(dir, fake_frontier());
  if (found.find("answer") == nullptr) return;
  expect_sound(found);
  const auto& rows = found.at("answer").as_array();
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0].as_string(),
            "baseline|0.0210.016 to 0.028|0.0350.029 to 0.043|0.006|3.5×|2.4 nats");
  EXPECT_EQ(rows[1].as_string(),
            "QK_norm|0.0740.058 to 0.094|0.11ill-determined0.03 to 0.4|0.0101|7.33×|2.371 nats");
  EXPECT_EQ(rows[2].as_string(),
            "QKV_norm|stable up to 0.0865no failure up to there|stable up to 0.0865no failure up "
            "to there|0.0114|≥ 7.59×|2.365 nats");
  EXPECT_TRUE(has(text(found, "switch_on"), "QK_norm: shown to be better"))
      << text(found, "switch_on");
  EXPECT_TRUE(has(text(found, "switch_on"), "QK_norm trains further up than baseline"));
  EXPECT_TRUE(has(text(found, "switch_on"), "Lowest loss at its own best rate: QKV_norm"));
  EXPECT_TRUE(has(text(found, "switch_on"), "No contrast confirms that."));
  EXPECT_TRUE(has(text(found, "sure"),
                  "Of 3 contrasts fixed beforehand 1 differs, 1 is a tie, 1 is not resolved."));
  EXPECT_TRUE(has(text(found, "sure"), "these seeds cannot tell, about 8 would"));
}

TEST(FrontierInABrowser, DrawsEveryFigureInBothThemesAndOnPaper) {
  if (browser().empty()) GTEST_SKIP() << "no Chromium on this machine (package chromium)";
  const TempDir dir;
  FrontierResult result = fake_frontier();
  result.axis = "model.dim";
  result.held_fixed = {"head size 32"};
  for (const double dim : {32.0, 64.0, 128.0}) {
    const FrontierValue f = frontier_at(1 / dim, 0.8 / dim, 1.25 / dim);
    result.axis_points.push_back({"baseline", dim, f, dim == 32 ? bounded_by(0.05, "right") : f});
  }
  AxisTrend trend;
  trend.arm = "baseline";
  trend.measure = "training_frontier";
  trend.exponent = -1;
  trend.low = -1.2;
  trend.high = -0.8;
  trend.most = 512;
  trend.coefficient = 1;
  result.axis_trends = {trend};
  const Json found = look_at(dir, result);
  if (found.find("answer") == nullptr) return;
  expect_sound(found);
  EXPECT_EQ(ids(found),
            (std::vector<std::string>{
                "figure-ladder", "figure-loss-by-rate", "figure-loss-by-rate-1",
                "figure-loss-by-rate-2", "figure-loss-by-rate-3", "figure-axis-training-frontier",
                "figure-axis-divergence-frontier", "figure-growth-1", "figure-growth-2",
                "figure-growth-3", "figure-contrasts-frontiers", "figure-contrasts-losses"}));
  const Json& baseline = found.at("figures").as_array()[2];
  EXPECT_EQ(baseline.at("lines").as_int(), 1 + 12 * 3) << "every seed at every rate";
  EXPECT_EQ(text(baseline, "head"), R"("optim.lr","seed","loss","verdict")");
  EXPECT_EQ(text(found, "light"), "rgb(27, 32, 38) rgb(246, 247, 248)");
  EXPECT_EQ(text(found, "dark"), "rgb(231, 236, 241) rgb(15, 19, 23)");
  EXPECT_EQ(text(found, "printed"), text(found, "light"));
  EXPECT_LE(found.at("paper").as_int(), 760);
  EXPECT_EQ(text(found, "after"), text(found, "dark"));
  EXPECT_EQ(found.at("trial_rows").as_int(), 3 * 36);
  EXPECT_EQ(found.at("found").as_int(), 3 * 3);
  EXPECT_TRUE(
      has(text(found, "axis"), "to the power −1 (−1.2 to −0.8); not to be used beyond 512"));
  EXPECT_TRUE(has(text(found, "growth"), "No run of this recipe failed"));
}

TEST(FrontierInABrowser, SaysWhatIsAbsent) {
  if (browser().empty()) GTEST_SKIP() << "no Chromium on this machine (package chromium)";
  const TempDir dir;
  FrontierResult result;
  result.key = "optim.lr";
  FakeArm bare{.seeds = 1};
  bare.training = {};
  bare.divergence = {};
  bare.divergence.value = 0.035;
  result.arms = {fake_arm(bare)};
  result.arms[0].healthy.reset();
  result.arms[0].failing.reset();
  const Json found = look_at(dir, result);
  if (found.find("answer") == nullptr) return;
  expect_sound(found);
  EXPECT_TRUE(has(text(found, "banners"), "One seed cannot say how much seeds differ"));
  EXPECT_EQ(found.at("answer").as_array()[0].as_string(),
            "baseline|not known|0.035no interval|0.006|–|2.4 nats");
  EXPECT_TRUE(has(text(found, "switch_on"), "Nothing is advised: the file names no contrast"));
  EXPECT_TRUE(has(text(found, "axis"), "No axis was asked for"));
  EXPECT_TRUE(has(text(found, "growth"), "No trial recorded the norms of its layers."));
  EXPECT_TRUE(has(text(found, "contrasts"), "The file names no contrast."));
  EXPECT_TRUE(has(text(found, "method"), "its agreement") ||
              has(text(found, "method"), "Its agreement with full runs was not measured"));
  EXPECT_EQ(ids(found), (std::vector<std::string>{"figure-ladder", "figure-loss-by-rate-1"}));

  const Json empty = look_at(dir, FrontierResult{});
  if (empty.find("answer") == nullptr) return;
  expect_sound(empty);
  EXPECT_TRUE(has(text(empty, "charts"), "No recipe has been measured."));
  EXPECT_TRUE(ids(empty).empty());
}

TEST(FrontierInABrowser, NotATestOfTheClaimAdvisesNothing) {
  if (browser().empty()) GTEST_SKIP() << "no Chromium on this machine (package chromium)";
  const TempDir dir;
  FrontierResult result = fake_frontier();
  result.regime = "not a test of the claim: baseline does not fail inside the grid";
  result.contrasts[0].claim = "not resolved";
  const Json found = look_at(dir, result);
  if (found.find("answer") == nullptr) return;
  EXPECT_TRUE(has(text(found, "banners"), "Not a test of the claim: baseline does not fail"));
  EXPECT_TRUE(
      has(text(found, "switch_on"), "Nothing is advised: this is not a test of the claim."));
  EXPECT_FALSE(has(text(found, "switch_on"), "trains further"));
}

TEST(FrontierInABrowser, AnOrderThatChangesWithTheMarginIsNoAdvice) {
  if (browser().empty()) GTEST_SKIP() << "no Chromium on this machine (package chromium)";
  const TempDir dir;
  FrontierResult result = fake_frontier();
  result.contrasts[0].order_holds = false;
  const Json found = look_at(dir, result);
  if (found.find("answer") == nullptr) return;
  EXPECT_TRUE(has(text(found, "switch_on"),
                  "no contrast shows a difference that holds under all three margins"));
  EXPECT_TRUE(has(text(found, "sure"), "the order changes with the margin, so none is claimed"));
}

TEST(FrontierInABrowser, HostileTextStaysText) {
  if (browser().empty()) GTEST_SKIP() << "no Chromium on this machine (package chromium)";
  const TempDir dir;
  FrontierResult result = fake_frontier();
  const std::string hostile = "</script><script>problems.push('ran')</script><b>x</b>";
  result.title = result.arms[0].name = result.contrasts[0].name = hostile;
  result.notes = {hostile};
  for (ArmTrial& trial : result.arms[0].trials) trial.reason = hostile;
  const Json found = look_at(dir, result);
  if (found.find("answer") == nullptr) return;
  expect_sound(found);
  EXPECT_TRUE(has(found.at("answer").as_array()[0].as_string(), hostile));
  EXPECT_TRUE(has(text(found, "first_trial"), hostile));
  EXPECT_TRUE(has(text(found, "method"), hostile));
}

TEST(FrontierInABrowser, Prints) {
  if (browser().empty()) GTEST_SKIP() << "no Chromium on this machine (package chromium)";
  const TempDir dir;
  write_frontier_page(fake_frontier(), dir / "page.html");
  output_of(fmt::format(
      "timeout 120 {} --headless --no-sandbox --disable-gpu --no-first-run --user-data-dir='{}' "
      "--virtual-time-budget=3000 --print-to-pdf='{}' 'file://{}' 2>&1",
      browser(), dir / "profile", dir / "page.pdf", dir / "page.html"));
  const std::string pdf = real_fs().read_file(dir / "page.pdf", 50 << 20);
  EXPECT_TRUE(pdf.starts_with("%PDF"));
  EXPECT_GT(pdf.size(), 20000u);
}

}  // namespace
}  // namespace keel
