#include <gtest/gtest.h>

#include <string>

#include "core/error.h"
#include "io/fs.h"
#include "io/temp_dir.h"
#include "lab/assets.h"
#include "lab/fake_frontier.h"
#include "lab/search/ladder_svg.h"
#include "lab/search/page.h"
#include "lab/svg.h"

namespace keel {
namespace {

constexpr const char* kHostile = "</script><b>{{data}}\xE2\x80\xA8 & \" ' <img src=x>";

FrontierPageOptions options() {
  FrontierPageOptions o;
  o.program = "keel 0.1.0";
  o.unix_time = 1.7e9;
  return o;
}

// The JSON that a page carries, read back from the page itself.
Json data_of(const std::string& page) {
  const std::string open = "id=\"report-data\">";
  const size_t begin = page.find(open) + open.size();
  return parse_json(page.substr(begin, page.find("</script>", begin) - begin), "page");
}

size_t count_of(const std::string& text, const std::string& what) {
  size_t count = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++count;
  return count;
}

TEST(FrontierPage, CarriesTheWholeResult) {
  const FrontierResult result = fake_frontier();
  const Json data = data_of(render_frontier_page(result, options()));
  EXPECT_EQ(data.at("program").as_string(), "keel 0.1.0");
  EXPECT_EQ(data.at("generated").as_string(), "2023-11-14 22:13 UTC");
  EXPECT_EQ(data.at("ladder_svg").as_string(), ladder_svg(result));
  EXPECT_EQ(data.at("result").dump(), to_json(result).dump());
}

TEST(FrontierPage, FetchesNothingAndHasItsTitle) {
  const std::string page = render_frontier_page(fake_frontier(), options());
  EXPECT_NE(page.find("<title>Ladder on a toy · keel frontier</title>"), std::string::npos);
  EXPECT_NE(page.find("default-src 'none'"), std::string::npos);
  for (const char* fetched : {"src=\"", "@import", "url(", "sourceMappingURL", "href=\"http"}) {
    EXPECT_EQ(page.find(fetched), std::string::npos) << fetched;
  }
  for (const char* part : {"{{title}}", "{{styles}}", "{{main}}", "{{data}}", "{{page_js}}"}) {
    EXPECT_EQ(page.find(part), std::string::npos) << part;
  }
}

TEST(FrontierPage, ResultWithoutATitleIsNamedByItsKey) {
  FrontierResult result = fake_frontier();
  result.title.clear();
  const std::string page = render_frontier_page(result, options());
  EXPECT_NE(page.find("<h1 id=\"title\">Frontier of optim.lr</h1>"), std::string::npos);
}

TEST(FrontierPage, TextNeverBecomesMarkup) {
  FrontierResult result = fake_frontier();
  result.title = result.key = kHostile;
  result.arms[0].name = result.arms[0].sets[0] = result.arms[0].trials[0].reason = kHostile;
  result.arms[0].healthy->series[kHostile] = result.arms[0].healthy->series.begin()->second;
  result.contrasts[0].name = result.contrasts[0].claim = kHostile;
  result.conditions.emplace_back(kHostile, kHostile);
  result.notes = result.commands = {kHostile};
  result.regime = result.published_label = kHostile;
  const std::string page = render_frontier_page(result, options());
  EXPECT_EQ(page.find("<b>"), std::string::npos);
  EXPECT_EQ(page.find("<img"), std::string::npos);
  EXPECT_EQ(page.find("\xE2\x80\xA8"), page.find("\xE2\x80\xA8 &amp;")) << "only in the title";
  EXPECT_EQ(count_of(page, "</script>"), 3u);
  EXPECT_EQ(data_of(page).at("result").at("title").as_string(), kHostile);
  const std::string svg = ladder_svg(result);
  EXPECT_EQ(svg.find("<b>"), std::string::npos);
  EXPECT_EQ(svg.find("<img"), std::string::npos);
}

TEST(FrontierPage, TextThatIsNotUtf8IsShown) {
  FrontierResult result = fake_frontier();
  result.title = result.arms[0].name = "a\xFF";
  const Json data = data_of(render_frontier_page(result, options()));
  EXPECT_EQ(data.at("result").at("title").as_string(), "a\xEF\xBF\xBD");
  EXPECT_NE(data.at("ladder_svg").as_string().find("a\xEF\xBF\xBD"), std::string::npos);
}

TEST(FrontierPage, TwoThousandTrialsStayBelowFiveMegabytes) {
  FrontierResult result = fake_frontier();
  result.arms.clear();
  for (int i = 0; i < 10; ++i) {
    result.arms.push_back(
        fake_arm({.name = fmt::format("recipe {}", i), .seeds = 10, .rates = 20}));
    for (GrowthRun* run : {&*result.arms.back().healthy, &*result.arms.back().failing}) {
      for (auto& [name, series] : run->series) {
        series = {};
        for (int64_t step = 0; step < 20000; ++step) {
          series.steps.push_back(step);
          series.values.push_back(1 + std::sqrt(static_cast<double>(step)) / 7);
        }
      }
    }
  }
  const std::string page = render_frontier_page(result, options());
  EXPECT_LT(page.size(), 5u << 20);
  size_t trials = 0;
  const Json data = data_of(page);
  for (const Json& arm : data.at("result").at("arms").as_array()) {
    trials += arm.at("trials").as_array().size();
    const Json& series = arm.at("failing").at("series").at("out_norm/qkv");
    EXPECT_LE(series.at("steps").as_array().size(), 400u);
    EXPECT_EQ(series.at("steps").as_array().back().as_int(), 19999);
  }
  EXPECT_EQ(trials, 2000u);
}

TEST(FrontierPage, IsReplacedWholeOrNotAtAll) {
  const TempDir dir;
  const std::string path = dir / "frontier.html";
  real_fs().write_file(path, "old");
  write_frontier_page(fake_frontier(), path, options());
  EXPECT_EQ(real_fs().read_file(path, 10 << 20), render_frontier_page(fake_frontier(), options()));
  EXPECT_EQ(real_fs().list(dir.path()), std::vector<std::string>{"frontier.html"});
  try {
    write_frontier_page(fake_frontier(), dir / "none/frontier.html");
    FAIL() << "written into a folder that is not there";
  } catch (const IoError& e) {
    EXPECT_NE(std::string(e.what()).find(dir / "none/frontier.html"), std::string::npos)
        << e.what();
  }
}

TEST(FrontierJson, KeysOfTheInterfaceComeFirst) {
  const Json json = to_json(fake_frontier());
  EXPECT_EQ(json.as_object()[0].key, "arms");
  EXPECT_EQ(json.as_object()[1].key, "contrasts");
  const auto keys = [](const Json& object, size_t count) {
    std::string out;
    for (size_t i = 0; i < count; ++i) out += object.as_object().at(i).key + " ";
    return out;
  };
  const Json& arm = json.at("arms").as_array()[0];
  EXPECT_EQ(keys(arm, 7),
            "name best_lr best_loss training_frontier divergence_frontier headroom seeds ");
  EXPECT_EQ(keys(arm.at("training_frontier"), 4), "value low high censored ");
  EXPECT_EQ(keys(json.at("contrasts").as_array()[0], 6), "name estimate low high p verdict ");
}

TEST(FrontierJson, SaysWhatIsCensoredAndWhatIsNotKnown) {
  const Json json = to_json(fake_frontier());
  const Json& known = json.at("arms").as_array()[0].at("training_frontier");
  EXPECT_TRUE(known.at("censored").is_null());
  EXPECT_EQ(known.at("low").as_double(), 0.016);
  const Json& bound = json.at("arms").as_array()[2].at("training_frontier");
  EXPECT_EQ(bound.at("censored").as_string(), "right");
  EXPECT_EQ(bound.at("value").as_double(), 0.0865);
  EXPECT_TRUE(bound.at("high").is_null());
  EXPECT_TRUE(
      json.at("arms").as_array()[1].at("divergence_frontier").at("ill_determined").as_bool());
  EXPECT_TRUE(json.at("arms").as_array()[2].at("failing").is_null());
}

TEST(LadderSvg, SaysEveryFrontierInNumbers) {
  const std::string svg = ladder_svg(fake_frontier());
  EXPECT_TRUE(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"fig\""));
  EXPECT_NE(svg.find("@media(prefers-color-scheme:dark)"), std::string::npos);
  for (const char* text :
       {"Ladder on a toy", ">baseline<", ">QK_norm<", ">QKV_norm<", "0.021 (0.016 to 0.028)",
        "0.035 (0.029 to 0.043)", "0.11, ill-determined", "stable up to 0.0865", "optim.lr",
        "steps 600, tokens 4.9M, warm-up 60 steps, 3 seeds", "best rate"}) {
    EXPECT_NE(svg.find(text), std::string::npos) << text;
  }
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  EXPECT_EQ(svg.find("inf"), std::string::npos);
  EXPECT_EQ(svg.find("k3 hollow\" d"), std::string::npos) << "no published value is drawn";
}

TEST(LadderSvg, PublishedValuesStandBesideOurs) {
  FrontierResult result = fake_frontier();
  result.published_label = "diverges above, arXiv 2410.16682";
  result.arms[0].published = 8e-3;
  const std::string svg = ladder_svg(result);
  EXPECT_NE(svg.find("diverges above, arXiv 2410.16682"), std::string::npos);
  EXPECT_EQ(count_of(svg, "k3 hollow\" d"), 2u);  // in the row and in the legend
}

TEST(LadderSvg, BoundsOfAKeyWhoseSmallValuesFailPointDown) {
  FrontierResult result = fake_frontier();
  result.above = false;
  result.arms[0].training_frontier = bounded_by(0.01, "left");
  result.arms[1].training_frontier = bounded_by(0.02, "right");
  const std::string svg = ladder_svg(result);
  EXPECT_NE(svg.find("stable down to 0.01"), std::string::npos);
  EXPECT_NE(svg.find("above 0.02"), std::string::npos);
}

TEST(LadderSvg, AnIntervalLongerThanThePictureEndsInAnArrow) {
  FrontierResult result = fake_frontier();
  result.arms[1].divergence_frontier = result.arms[1].training_frontier;
  const size_t arrows = count_of(ladder_svg(result), "4.5m");
  result.arms[0].training_frontier = frontier_at(0.021, 1e-7, 1e6);
  const std::string svg = ladder_svg(result);
  EXPECT_EQ(count_of(svg, "4.5m"), arrows + 2);
  EXPECT_NE(svg.find("0.021 (1e-7 to 1e6)"), std::string::npos);
  EXPECT_EQ(svg.find(">1<"), std::string::npos) << "the axis ends half a decade beyond the rates";
  EXPECT_EQ(svg.find(">0.0001<"), std::string::npos);
}

TEST(LadderSvg, SaysWhatIsMissing) {
  FrontierResult none;
  none.key = "optim.lr";
  EXPECT_NE(ladder_svg(none).find("No frontier has been measured yet."), std::string::npos);
  FrontierResult result = fake_frontier();
  result.arms[0].training_frontier = {};
  result.arms[0].divergence_frontier = {};
  result.arms[0].divergence_frontier.value = 0.035;
  const std::string svg = ladder_svg(result);
  EXPECT_NE(svg.find("not known"), std::string::npos);
  EXPECT_NE(svg.find("0.035, no interval"), std::string::npos);
}

TEST(PlotStyle, HasTheColoursOfThePages) {
  const std::string script(assets().data_js);
  for (const std::string& rules : {plot_style().light, plot_style().dark}) {
    for (int k = 0; k < 8; ++k) {
      const std::string mark = fmt::format(".k{}{{color:", k);
      const size_t at = rules.find(mark);
      ASSERT_NE(at, std::string::npos) << mark;
      EXPECT_NE(script.find(rules.substr(at + mark.size(), 7)), std::string::npos) << mark;
    }
  }
}

}  // namespace
}  // namespace keel
