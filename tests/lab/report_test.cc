#include "lab/report.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/error.h"
#include "io/fs.h"
#include "io/temp_dir.h"
#include "lab/fake_run.h"
#include "lab/loss_svg.h"

namespace keel {
namespace {

ReportOptions options() {
  ReportOptions o;
  o.program = "keel 0.1.0";
  o.unix_time = 1.7e9;
  return o;
}

// The JSON that a page carries, read back from the page itself.
Json data_of(const std::string& page) {
  const std::string open = "id=\"report-data\">";
  const size_t begin = page.find(open) + open.size();
  return parse_json(page.substr(begin, page.find("</script>", begin) - begin), "report");
}

const Json& first_run(const Json& data) { return data.at("runs").as_array().front(); }

TEST(Report, HoldsWhatTheRunSays) {
  const TempDir dir;
  const RunData run = load_run_data(make_fake_run(dir.path() + "/alpha"));
  const Json data = data_of(render_report({&run, 1}, options()));
  const Json& r = first_run(data);
  EXPECT_EQ(r.at("name").as_string(), "alpha");
  EXPECT_EQ(r.at("summary").at("state").as_string(), "finished");
  EXPECT_EQ(r.at("summary").at("steps").as_int(), 300);
  EXPECT_EQ(r.at("summary").at("floor").as_double(), 2.05);
  for (const char* name :
       {"loss", "val_loss", "lr", "grad_norm", "tokens_per_second", "attn_logit_max/layer00",
        "attn_entropy/layer03", "out_norm_fc1/layer02", "update_ratio/all"}) {
    EXPECT_NE(r.at("curves").find(name), nullptr) << name;
  }
  EXPECT_EQ(r.at("curves").find("tokens"), nullptr) << "tokens are an axis, not a curve";
  EXPECT_EQ(r.at("axis").at("tokens").as_array().back().as_int(), 300 * 4096);
  EXPECT_EQ(r.at("samples").as_array().front().at("text").as_string(), "In the beginning");
  EXPECT_EQ(r.at("events").as_array().back().at("time").as_string(), "2023-11-14 22:14:20");
  EXPECT_EQ(r.at("environment").as_array()[1].at("key").as_string(), "cpu.model");
}

TEST(Report, ConfigCarriesItsOrigins) {
  const TempDir dir;
  const RunData run = load_run_data(make_fake_run(dir.path() + "/a"));
  ASSERT_EQ(run.config.size(), 6u);
  EXPECT_EQ(run.config[0].key, "model.dim");
  EXPECT_EQ(run.config[0].origin, "run.toml:2");
  EXPECT_EQ(run.config[1].value, "\"a # b\"");
  EXPECT_EQ(run.config[2].key, "model.norm.kind");
  EXPECT_EQ(run.config[3].key, "data.sources[0].path");
  EXPECT_EQ(run.config[5].origin, "--set");
}

TEST(Report, TextOfARunNeverBecomesMarkup) {
  const TempDir dir;
  FakeRun fake;
  fake.sample = "</script><script>alert(1)</script><!-- {{page_js}} \xE2\x80\xA8 & \xFF\x01 \"'";
  const RunData run = load_run_data(make_fake_run(dir.path() + "/<img src=x>", fake));
  const std::string page = render_report({&run, 1}, options());
  EXPECT_EQ(page.find("alert(1)</script>"), std::string::npos);
  EXPECT_EQ(page.find("<img"), std::string::npos);
  EXPECT_NE(page.find("<title>&lt;img src=x&gt;"), std::string::npos);
  EXPECT_EQ(page.find("\xE2\x80\xA8"), std::string::npos);
  const std::string text =
      first_run(data_of(page)).at("samples").as_array()[0].at("text").as_string();
  EXPECT_EQ(
      text,
      "</script><script>alert(1)</script><!-- {{page_js}} \xE2\x80\xA8 & \xEF\xBF\xBD\x01 \"'");
}

TEST(Report, IsOneFileThatFetchesNothing) {
  const TempDir dir;
  const RunData run = load_run_data(make_fake_run(dir.path() + "/a"));
  const std::string page = render_report({&run, 1}, options());
  for (const char* unwanted :
       {"<script src", "<img", "sourceMappingURL", "url(", "@import", "href=\"http"}) {
    EXPECT_EQ(page.find(unwanted), std::string::npos) << unwanted;
  }
  EXPECT_NE(page.find("default-src 'none'"), std::string::npos);
  EXPECT_NE(page.find("Permission is hereby granted"), std::string::npos);
  // Library, page and 300 steps of 14 curves.
  EXPECT_LT(page.size(), 300'000u);
}

TEST(Report, LongRunsStaySmall) {
  const TempDir dir;
  FakeRun fake;
  fake.steps = fake.total_steps = 20'000;
  fake.layers = 12;
  fake.nan_at = 12'345;
  const RunData run = load_run_data(make_fake_run(dir.path() + "/a", fake));
  const std::string page = render_report({&run, 1}, options());
  const Json data = data_of(page);
  const Json& curves = first_run(data).at("curves");
  const Json& loss = curves.at("loss");
  EXPECT_LE(loss.at("x").as_array().size(), 4000u);
  EXPECT_EQ(loss.at("points").as_int(), 20'000);
  EXPECT_EQ(loss.at("bad_count").as_int(), 1);
  EXPECT_EQ(loss.at("bad").as_array()[0].as_array()[0].as_int(), 12'345);
  EXPECT_LE(curves.at("attn_entropy/layer00").at("x").as_array().size(), 2000u);
  EXPECT_LT(page.size(), 1'500'000u);
}

TEST(Report, SeveralRunsGetNamesOfTheirOwn) {
  const TempDir dir;
  real_fs().make_dir(dir.path() + "/b");
  const RunData runs[] = {load_run_data(make_fake_run(dir.path() + "/same")),
                          load_run_data(make_fake_run(dir.path() + "/b/same"))};
  const Json data = data_of(render_report(runs, options()));
  EXPECT_EQ(data.at("runs").as_array()[0].at("name").as_string(), "same");
  EXPECT_EQ(data.at("runs").as_array()[1].at("name").as_string(), "same (2)");
}

TEST(Report, SaysWhatIsMissing) {
  const TempDir dir;
  FakeRun fake;
  fake.metrics = false;
  const RunData run = load_run_data(make_fake_run(dir.path() + "/a", fake));
  EXPECT_EQ(run.state, RunState::kEmpty);
  ASSERT_EQ(run.notes.size(), 1u);
  EXPECT_EQ(run.notes[0], "It has no metrics.db, so there are no curves, samples and events.");
  EXPECT_NE(render_report({&run, 1}, options()).find(run.notes[0]), std::string::npos);
}

TEST(Report, DamagedPartsAreNamedAndTheRestIsShown) {
  const TempDir dir;
  const std::string path = make_fake_run(dir.path() + "/a");
  real_fs().replace_file(path + "/metrics.db", "this is not a database, however long it may be");
  real_fs().replace_file(path + "/env.json", "{");
  const RunData run = load_run_data(path);
  ASSERT_EQ(run.notes.size(), 2u);
  EXPECT_TRUE(run.notes[0].starts_with("The environment cannot be shown: ")) << run.notes[0];
  EXPECT_TRUE(run.notes[1].starts_with("Curves, samples and events cannot be shown: "));
  EXPECT_NE(run.notes[1].find("metrics.db"), std::string::npos);
  EXPECT_EQ(run.config.size(), 6u);
  EXPECT_FALSE(render_report({&run, 1}, options()).empty());
}

TEST(Report, AxesOfALiveRunNeedNotBeOfOneLength) {
  const TempDir dir;
  const std::string path = make_fake_run(dir.path() + "/a", {.steps = 20});
  {
    MetricsWriter store(path + "/metrics.db");
    store.metric(21, "tokens", 21 * 4096);
  }
  const RunData run = load_run_data(path);
  const Json data = report_data({&run, 1}, options());
  const Json& axis = first_run(data).at("axis");
  EXPECT_EQ(axis.at("step").as_array().size(), 21u);
  EXPECT_EQ(axis.at("tokens").as_array().back().as_int(), 21 * 4096);
  // The step without a speed counts as long as the one before it.
  const auto& seconds = axis.at("seconds").as_array();
  EXPECT_NEAR(seconds[20].as_double() - seconds[19].as_double(),
              seconds[19].as_double() - seconds[18].as_double(), 1e-4);
  EXPECT_NEAR(seconds[20].as_double(), 21 * 4096 / 41450.0, 0.05);
}

TEST(Report, RefusesWhatIsNotARun) {
  const TempDir dir;
  const auto message = [](auto&& call) -> std::string {
    try {
      call();
    } catch (const Error& error) {
      return std::to_string(error.exit_code()) + " " + error.what();
    }
    return "";
  };
  EXPECT_EQ(message([&] { load_run_data(dir.path() + "/none"); }),
            "3 " + dir.path() + "/none: no such run");
  EXPECT_EQ(message([&] { load_run_data(dir.path()); }),
            "3 " + dir.path() + ": not a run: it holds no config.toml");
  EXPECT_EQ(message([&] { render_report({}, options()); }),
            "2 report: no run given; name at least one run directory");
  const std::string paths[] = {"a", "b"};
  EXPECT_EQ(
      message([&] { write_report(paths, "x.svg", options()); }),
      "2 x.svg: a picture shows one run, 2 were given; name one, or an output ending in .html");
  const std::string run[] = {make_fake_run(dir.path() + "/a")};
  EXPECT_EQ(message([&] { write_report(run, dir.path() + "/no/x.html", options()); }).substr(0, 2),
            "74");
}

TEST(Report, ARunInUseIsRunning) {
  const TempDir dir;
  FakeRun fake;
  fake.steps = 3;
  const std::string path = make_fake_run(dir.path() + "/a", fake);
  EXPECT_EQ(load_run_data(path).state, RunState::kStopped);
  {
    const RunLock lock(path);
    MetricsWriter store(path + "/metrics.db");
    store.metric(4, "loss", 5.0);
    store.flush();
    const RunData run = load_run_data(path);
    EXPECT_EQ(run.state, RunState::kRunning);
    EXPECT_EQ(summarize(run).steps, 4);
  }
  EXPECT_EQ(load_run_data(path).state, RunState::kStopped);
}

TEST(Report, ARunThatEndedItselfIsNotCalledStopped) {
  const TempDir dir;
  FakeRun fake;
  fake.steps = 30;
  const std::string path = make_fake_run(dir.path() + "/a", fake);
  const auto after = [&](std::string_view event) {
    MetricsWriter(path + "/metrics.db").event(30, 1.8e9, std::string(event), "no better");
    return load_run_data(path).state;
  };
  EXPECT_EQ(after(metric_name::kEarlyEvent), RunState::kEarly);
  EXPECT_EQ(after(metric_name::kResumeEvent), RunState::kStopped);
}

TEST(Report, DivergenceIsSaidUntilAResume) {
  const TempDir dir;
  FakeRun fake;
  fake.steps = fake.nan_at = 30;
  const std::string path = make_fake_run(dir.path() + "/a", fake);
  RunData run = load_run_data(path);
  EXPECT_EQ(run.state, RunState::kDiverged);
  EXPECT_EQ(summarize(run).reason, "diverged at step 30: the loss is not finite");
  {
    MetricsWriter store(path + "/metrics.db");
    store.event(30, 1.8e9, "diverged", "loss is nan");
  }
  EXPECT_EQ(summarize(load_run_data(path)).reason, "diverged at step 30: loss is nan");
  {
    MetricsWriter store(path + "/metrics.db");
    store.metric(31, "loss", 2.0);
    store.event(31, 1.8e9, "resume", "");
  }
  EXPECT_EQ(load_run_data(path).state, RunState::kStopped);
}

TEST(LossSvg, DrawsEveryCurve) {
  const TempDir dir;
  FakeRun fake;
  fake.nan_at = 150;
  const std::string path = make_fake_run(dir.path() + "/a & b", fake);
  const std::string paths[] = {path};
  write_report(paths, dir.path() + "/x.svg", options());
  const std::string svg = real_fs().read_file(dir.path() + "/x.svg", 1 << 20);
  for (const char* part : {"<svg ", "class=\"raw k0\"", "class=\"mean k0\"", "class=\"val k1\"",
                           "class=\"floor k2\"", "a &amp; b", "prefers-color-scheme"}) {
    EXPECT_NE(svg.find(part), std::string::npos) << part;
  }
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  const size_t raw = svg.find("<path class=\"raw k0\"");
  const std::string d = svg.substr(raw, svg.find('\n', raw) - raw);
  EXPECT_EQ(std::count(d.begin(), d.end(), 'M'), 2) << "the value that is not finite is a gap";
}

TEST(LossSvg, SaysThatThereIsNothingYet) {
  const TempDir dir;
  FakeRun fake;
  fake.steps = 0;
  EXPECT_NE(loss_svg(load_run_data(make_fake_run(dir.path() + "/a", fake)))
                .find("No loss has been measured"),
            std::string::npos);
}

TEST(LossSvg, ALongNameLeavesRoomForTheLegend) {
  RunData run;
  run.name = std::string(100, 'x');
  const std::string svg = loss_svg(run);
  EXPECT_NE(svg.find(">" + std::string(38, 'x') + "…</text>"), std::string::npos);
}

TEST(LossSvg, TicksAreRound) {
  EXPECT_EQ(round_ticks(0.1, 5.2, 5), (std::vector<double>{1, 2, 3, 4, 5}));
  EXPECT_EQ(round_ticks(0, 1000, 4), (std::vector<double>{0, 200, 400, 600, 800, 1000}));
  EXPECT_EQ(round_ticks(-0.3, 0.3, 6).size(), 7u);
}

}  // namespace
}  // namespace keel
