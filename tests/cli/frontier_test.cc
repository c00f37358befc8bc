// keel frontier from the command line, on a model that takes a moment.
#include <gtest/gtest.h>

#include <cmath>

#include "io/json.h"
#include "run_keel.h"

namespace keel {
namespace {

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, text.npos) << from;
  return at == text.npos ? text : text.replace(at, from.size(), to);
}

// Two arms, two seeds, at most three rates.
class SmallFrontier {
 public:
  explicit SmallFrontier(const std::string& more = "") { write("f.toml", more); }

  void write(const std::string& name, const std::string& more) const {
    real_fs().replace_file(
        file(name), "base = \"run.toml\"\nseeds = 2\nstart = 0.01\nratio = 6\nmax_rates = 3\n" +
                        more +
                        "[set]\ntrain.steps = 60\nschedule.warmup = 6\ntrain.dtype = \"f32\"\n"
                        "[[arms]]\nname = \"plain\"\n"
                        "[[arms]]\nname = \"normed\"\nset = {model.attention.qk_norm.kind = "
                        "\"layer\"}\n");
  }
  std::string file(const std::string& name) const { return small_.file(name); }
  std::string text(const std::string& name) const {
    return real_fs().read_file(file(name), kMaxTextBytes);
  }
  ProgramEnd run(std::vector<std::string> arguments = {},
                 const std::string& name = "f.toml") const {
    arguments.insert(arguments.begin(), {"frontier", file(name), "--out", file("out")});
    return keel(arguments);
  }

 private:
  SmallRun small_;
};

TEST(Frontier, FindsWritesAndGoesOn) {
  const SmallFrontier f("contrasts = [\"normed > plain\"]\n");
  const ProgramEnd o = f.run();
  ASSERT_EQ(o.code, 0) << o.err;
  EXPECT_EQ(o.last_line(), f.file("out/report.html"));
  EXPECT_TRUE(real_fs().exists(o.last_line()));
  for (const char* part : {"plain", "normed", "trains up to", "normed > plain"}) {
    EXPECT_NE(o.out.find(part), std::string::npos) << part << " in " << o.out;
  }
  EXPECT_NE(o.err.find("Weight decay does not go with the peak rate"), std::string::npos) << o.err;
  const Json j = parse_json(f.text("out/frontier.json"), "frontier.json");
  EXPECT_EQ(j.at("arms").as_array().size(), 2u);
  EXPECT_EQ(j.at("trials").as_int(), 12);
  EXPECT_EQ(j.at("failed").as_int(), 0);
  for (const Json& arm : j.at("arms").as_array()) {
    EXPECT_EQ(arm.at("seeds").as_int(), 2);
    EXPECT_EQ(arm.at("rates").as_array().size(), 3u);
    const double best = arm.at("best_loss").as_double();
    EXPECT_LT(best, std::log(256)) << "it learnt something";
    EXPECT_GT(arm.at("step_seconds").as_double(), 0);
  }
  EXPECT_NE(f.text("out/frontier.md").find("# f\n"), std::string::npos);
  // Again: every result is there already.
  const ProgramEnd again = f.run({"--json"});
  ASSERT_EQ(again.code, 0) << again.err;
  const Json same = parse_json(again.last_line(), "output");
  EXPECT_EQ(same.at("arms"), j.at("arms"));
  EXPECT_EQ(same.at("seconds"), j.at("seconds")) << "nothing was run again";
  // Another rule is another search.
  f.write("g.toml", "[rule]\nmargin = 0.3\nwide_margin = 0.5\n");
  const ProgramEnd other = f.run({}, "g.toml");
  EXPECT_EQ(other.code, 2);
  EXPECT_NE(other.err.find("choose another --out"), std::string::npos) << other.err;
  // So is another start, or one without an arm; more seeds are not.
  const auto refused = [&](const std::string& name, const std::string& part) {
    const ProgramEnd end = f.run({}, name);
    EXPECT_EQ(end.code, 2);
    const std::string text =
        ": this is not the search that was begun here: " + part + "; choose another --out";
    EXPECT_NE(end.err.find(text), std::string::npos) << end.err;
  };
  const std::string file = f.text("f.toml");
  real_fs().write_file(f.file("s.toml"), replaced(file, "start = 0.01", "start = 0.02"));
  refused("s.toml", "start was 0.01, is 0.02");
  real_fs().write_file(f.file("t.toml"), replaced(file, "train.steps = 60", "train.steps = 61"));
  refused("t.toml",
          "set was train.steps=60 schedule.warmup=6 train.dtype=\"f32\", is train.steps=61 "
          "schedule.warmup=6 train.dtype=\"f32\"");
  real_fs().write_file(
      f.file("a.toml"),
      replaced(replaced(file, "name = \"plain\"", "name = \"other\""), "> plain", "> other"));
  refused("a.toml", "arm plain is gone");
  real_fs().write_file(f.file("b.toml"), replaced(file, "kind = \"layer\"", "kind = \"rms\""));
  refused("b.toml",
          "arm normed was \"model.attention.qk_norm.kind=\"layer\"\", is "
          "\"model.attention.qk_norm.kind=\"rms\"\"");
  real_fs().write_file(f.file("c.toml"), replaced(file, "seeds = 2", "seeds = [2]"));
  refused("c.toml", "seed 1 is gone");
}

TEST(Frontier, SaysWhatItIsOf) {
  const SmallFrontier f;
  ASSERT_EQ(f.run().code, 0);
  const std::string text = f.text("out/frontier.md");
  EXPECT_NE(text.find("- data: "), std::string::npos) << text;
  EXPECT_NE(text.find("- data's fingerprint: "), std::string::npos) << text;
  // Judged by the rule of the file, not by the widest one, by which runs are stopped.
  const Json counts =
      parse_json(keel({"sweep", "status", f.file("out"), "--json"}).last_line(), "output");
  int64_t diverged = 0;
  const Json j = parse_json(f.text("out/frontier.json"), "frontier.json");
  for (const Json& arm : j.at("arms").as_array()) {
    for (const Json& t : arm.at("trials").as_array()) {
      diverged += t.at("verdict").as_string() == "diverged" ? 1 : 0;
    }
  }
  EXPECT_EQ(counts.at("diverged").as_int(), diverged);
}

TEST(Frontier, AValueThatTheConfigRefusesEndsTheGrid) {
  const SmallFrontier f;
  real_fs().write_file(f.file("w.toml"),
                       "base = \"run.toml\"\nseeds = 2\nkey = \"schedule.warmup\"\n"
                       "start = 20\nratio = 2\nmax_rates = 8\n"
                       "[set]\noptim.lr = 0.02\ntrain.steps = 70\ntrain.dtype = \"f32\"\n"
                       "[[arms]]\nname = \"plain\"\n");
  const ProgramEnd o = f.run({}, "w.toml");
  EXPECT_EQ(o.code, 0) << o.err;
  const Json j = parse_json(f.text("out/frontier.json"), "frontier.json");
  const auto& rates = j.at("arms").as_array()[0].at("rates").as_array();
  ASSERT_FALSE(rates.empty());
  for (const Json& rate : rates) EXPECT_LE(rate.at("rate").as_double(), 70);
  EXPECT_NE(f.text("out/frontier.md").find("the grid ended by what a config may be ("),
            std::string::npos)
      << f.text("out/frontier.md");
}

// A trainer of a few lines: it learns up to a rate of 1 (2 where its argument says so) and fails by
// itself above 100.
constexpr const char* kTrainer =
    "lr=$1; seed=$2; out=$3; most=$4\n"
    "awk -v lr=$lr -v seed=$seed -v most=$most 'BEGIN {\n"
    "  if (lr > 100) exit 1\n"
    "  print \"step,loss,val_loss\"\n"
    "  end = lr > most ? 4.5 : 2 + 0.01 * seed + 0.1 * (log(lr / 0.3)) ^ 2\n"
    "  for (i = 0; i < 100; ++i) printf \"%d,%.9f,\\n\", i, 4 + (end - 4) * i / 99\n"
    "  printf \"100,%.9f,%.9f\\n\", end, end }' > $out/log.csv\n";

class ExternalFrontier {
 public:
  explicit ExternalFrontier(const std::string& trainer = kTrainer) {
    real_fs().write_file(f.file("train.sh"), trainer);
  }
  ProgramEnd run(const std::string& arms, const std::vector<std::string>& arguments = {}) const {
    real_fs().replace_file(f.file("x.toml"),
                           "seeds = 3\nkey = \"lr\"\nstart = 0.3\nratio = 3\nmax_rates = 7\n"
                           "contrasts = [\"far > near\"]\n" +
                               arms +
                               "[trial]\ncommand = \"sh train.sh {lr} {seed} {out} {most}\"\n"
                               "steps = 101\nwarmup = 10\nunigram_entropy = 3.0\n");
    return f.run(arguments, "x.toml");
  }
  SmallFrontier f;
};
constexpr const char* kNearAndFar =
    "arms = [{name = \"near\", set = {most = 1}}, {name = \"far\", set = {most = 30}}]\n";

TEST(ExternalFrontierTest, OfATrainerThatIsNotOurs) {
  const ExternalFrontier x;
  const ProgramEnd o = x.run(kNearAndFar, {"--json"});
  ASSERT_EQ(o.code, 0) << o.err;
  const Json j = parse_json(o.last_line(), "output");
  const auto& arms = j.at("arms").as_array();
  EXPECT_EQ(arms[0].at("best_lr").as_double(), 0.3);
  const double near = arms[0].at("training_frontier").at("value").as_double();
  EXPECT_GT(near, 0.9);
  EXPECT_LT(near, 2.7);
  ASSERT_EQ(j.at("contrasts").as_array().size(), 1u) << "what was asked for";
  EXPECT_EQ(j.at("contrasts").as_array()[0].at("measure").as_string(), "training_frontier");
  EXPECT_EQ(j.at("contrasts").as_array()[0].at("verdict").as_string(), "differs");
  EXPECT_EQ(j.at("further_contrasts").as_array().size(), 3u);
  const std::string text = x.f.text("out/frontier.md");
  EXPECT_NE(text.find("- steps: 101\n- warm-up: 10 steps\n"), std::string::npos) << text;
}

TEST(ExternalFrontierTest, SeedsThatAreNotUsedResolveNothing) {
  const ExternalFrontier x(replaced(kTrainer, "0.01 * seed", "0"));
  const ProgramEnd o = x.run(kNearAndFar, {"--json"});
  ASSERT_EQ(o.code, 0) << o.err;
  const Json j = parse_json(o.last_line(), "output");
  EXPECT_NE(x.f.text("out/frontier.md").find("All seeds came to the same losses"),
            std::string::npos);
  EXPECT_EQ(j.at("contrasts").as_array()[0].at("verdict").as_string(), "not resolved");
}

TEST(ExternalFrontierTest, EqualArmsAreATie) {
  const ExternalFrontier x;
  const ProgramEnd o =
      x.run("arms = [{name = \"near\", set = {most = 1}}, {name = \"far\", set = {most = 1.0}}]\n",
            {"--json"});
  ASSERT_EQ(o.code, 0) << o.err;
  const Json j = parse_json(o.last_line(), "output");
  EXPECT_EQ(j.at("contrasts").as_array()[0].at("verdict").as_string(), "tie");
}

TEST(ExternalFrontierTest, WhereEveryTrialFails) {
  const ExternalFrontier x("exit 3\n");
  const ProgramEnd o = x.run(kNearAndFar, {"--json"});
  EXPECT_EQ(o.code, 1) << o.err;
  EXPECT_NE(o.err.find("keel sweep retry"), std::string::npos) << o.err;
  const Json j = parse_json(o.last_line(), "output");
  EXPECT_TRUE(j.at("arms").as_array()[0].at("training_frontier").at("value").is_null());
}

TEST(Frontier, DryRunSaysHowMuchItMayBe) {
  const SmallFrontier f;
  const ProgramEnd o = f.run({"--dry-run"});
  ASSERT_EQ(o.code, 0) << o.err;
  EXPECT_NE(o.out.find("2 arms, 2 seeds, optim.lr from 0.01 by factors of 6, at most 3 values: at "
                       "most 12 trials"),
            std::string::npos)
      << o.out;
  EXPECT_NE(o.out.find("worst case: "), std::string::npos) << o.out;
  EXPECT_FALSE(real_fs().exists(f.file("out")));
  const ProgramEnd json = f.run({"--dry-run", "--json"});
  const Json j = parse_json(json.last_line(), "output");
  EXPECT_EQ(j.at("most_trials").as_int(), 12);
  EXPECT_GT(j.at("worst_seconds").as_double(), 0);
}

TEST(Frontier, BadFiles) {
  const SmallFrontier f;
  const auto refused = [&](const std::string& more, const std::string& part) {
    f.write("bad.toml", more);
    const ProgramEnd o = f.run({}, "bad.toml");
    EXPECT_EQ(o.code, 2) << more;
    EXPECT_NE(o.err.find(part), std::string::npos) << part << " in " << o.err;
    EXPECT_FALSE(real_fs().exists(f.file("out")));
  };
  refused("max_trials = 3\n",
          "2 arms with 2 seeds and up to 3 values may come to 12 trials, max_trials is 3: --yes");
  refused("key = \"optim.lrr\"\n",
          "key: \"optim.lrr\" is no number of the config of arm plain, did you mean \"optim.lr\"?");
  refused("key = \"method\"\n", "key: \"method\" is no number of the config of arm plain");
  refused("axis = \"model.dimm\"\naxis_values = [32]\n",
          "axis: \"model.dimm\" is no number of the config of arm plain, did you mean "
          "\"model.dim\"?");
  refused("axis = \"model.dim\"\naxis_values = [24]\n",
          "axis_values: 24 is no multiple of the head size 16, which is held fixed");
  refused("key = \"train.batch\"\n", "start: must be a whole number, as train.batch is; is 0.01");
  refused("[rule]\nmargni = 1\n", "rule.margni: unknown key, did you mean \"margin\"?");
  real_fs().write_file(f.file("arm.toml"),
                       "base = \"run.toml\"\nseeds = 2\n"
                       "arms = [{name = \"a\", set = {model.dmi = 3}},\n"
                       "  {name = \"b\", set = {train.dtype = \"auto\"}}]\n");
  const ProgramEnd o = f.run({}, "arm.toml");
  EXPECT_EQ(o.code, 2);
  EXPECT_NE(o.err.find("arm.toml:3:35: model.dmi: unknown key, did you mean \"dim\"?"),
            std::string::npos)
      << o.err;
  EXPECT_NE(o.err.find("\"auto\""), std::string::npos) << o.err;
  real_fs().write_file(f.file("key.toml"),
                       "base = \"run.toml\"\nseeds = 2\n"
                       "arms = [{name = \"a\", set = {optim.lr = 3}}]\n");
  EXPECT_NE(f.run({}, "key.toml")
                .err.find("optim.lr: is what the frontier is looked for along; leave it out"),
            std::string::npos);
  EXPECT_NE(f.run({"--jobs", "-1"}).err.find("--jobs: must be at least 0, is -1"),
            std::string::npos);
}

TEST(Frontier, ASearchThatIsStoppedGoesOn) {
  const SmallFrontier f;
  Running search({"frontier", f.file("f.toml"), "--out", f.file("out"), "--jobs", "1", "--json"});
  ASSERT_TRUE(search.says("[1/")) << search.err();
  search.send(SIGINT);
  const ProgramEnd stopped = search.wait();
  EXPECT_EQ(stopped.code, 75) << stopped.err;
  EXPECT_NE(stopped.err.find("go on with: keel frontier "), std::string::npos) << stopped.err;
  const Json counts = parse_json(stopped.out, "output");
  EXPECT_GE(counts.at("done").as_int(), 1);
  EXPECT_EQ(counts.at("failed").as_int(), 0);
  EXPECT_EQ(counts.at("out").as_string(), f.file("out"));
  EXPECT_FALSE(real_fs().exists(f.file("out/report.html")));
  const ProgramEnd o = f.run();
  EXPECT_EQ(o.code, 0) << o.err;
  EXPECT_TRUE(real_fs().exists(f.file("out/report.html")));
}

}  // namespace
}  // namespace keel
