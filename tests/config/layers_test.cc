// Files, base files, [set] tables and --set over one another, and where paths start.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "config/example.h"

namespace keel {
namespace {

using namespace example;
namespace fs = std::filesystem;

class Layers : public ::testing::Test {
 protected:
  Layers() {
    std::string name = (fs::temp_directory_path() / "keel_config_XXXXXX").string();
    folder_ = mkdtemp(name.data());
  }
  ~Layers() override {
    fs::current_path(before_);
    fs::remove_all(folder_);
  }

  std::string write(const std::string& name, const std::string& text) {
    const fs::path path = folder_ / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
    return path;
  }
  LoadedConfig load(const std::string& path, const std::vector<std::string>& sets = {}) {
    config_ = RunConfig();
    return load_config(path, sets, config_);
  }
  std::string error_at(const std::string& path) {
    try {
      load(path);
    } catch (const ConfigError& e) {
      EXPECT_EQ(e.exit_code(), 2);
      return e.what();
    }
    return "no error";
  }

  fs::path before_ = fs::current_path();
  fs::path folder_;
  RunConfig config_;
};

TEST_F(Layers, DefaultsBaseFileSetTableSet) {
  const std::string base = write("base.toml",
                                 "model.dim = 1\nmodel.heads = 1\n"
                                 "model.layers = 1\noptim.lr = 1\n");
  const std::string run = write("run.toml",
                                "base = \"base.toml\"\nmodel.heads = 2\n"
                                "model.layers = 2\nmodel.dim = 2\noptim.lr = 2\n[set]\n"
                                "model.layers = 3\n\"model.dim\" = 4\n");
  const LoadedConfig loaded = load(run, {"model.dim=8"});
  EXPECT_EQ(config_.model.dim, 8);
  EXPECT_EQ(config_.model.layers, 3);
  EXPECT_EQ(config_.model.heads, 2);
  EXPECT_EQ(loaded.origins.at("model.dim"), "--set");
  EXPECT_EQ(loaded.origins.at("model.layers"), run + ":7");
  EXPECT_EQ(loaded.origins.at("model.heads"), run + ":2");
  EXPECT_EQ(loaded.origins.at("model.tied"), "default");
  write("run.toml", "base = \"base.toml\"\n");
  EXPECT_EQ(load(run).origins.at("optim.lr"), base + ":4");
}

TEST_F(Layers, SetTableErrors) {
  const std::string run = write("run.toml", "[set]\n\"model.\" = 1\n\"model.dmi\" = 2\n");
  EXPECT_EQ(error_at(run), run + ":2:1: set: \"model.\" is not a dotted key\n" + run +
                               ":3:1: model.dmi: unknown key, did you mean \"dim\"?");
  write("run.toml", "set = 3");
  EXPECT_EQ(error_at(run), run + ":1:7: set: must be a table");
}

TEST_F(Layers, MissingAndUnreadableFiles) {
  const std::string missing = folder_ / "no.toml";
  EXPECT_EQ(error_at(missing), "config file \"" + missing + "\" does not exist");
  EXPECT_EQ(error_at(folder_),
            "cannot read config file \"" + folder_.string() + "\": Is a directory");
  const std::string run = write("run.toml", "base = \"no.toml\"");
  EXPECT_EQ(error_at(run), run + ":1:8: base: config file \"" + missing + "\" does not exist");
  write("run.toml", "base = 3");
  EXPECT_EQ(error_at(run), run + ":1:8: base: must be a string");
  write("run.toml", "base = \"run.toml\"");
  EXPECT_EQ(error_at(run), run + ":1:8: base: more than 8 files, each based on the next");
}

TEST_F(Layers, UnreadableFile) {
  if (geteuid() == 0) GTEST_SKIP() << "root reads every file";
  const std::string run = write("run.toml", "");
  chmod(run.c_str(), 0);
  EXPECT_EQ(error_at(run), "cannot read config file \"" + run + "\": Permission denied");
}

TEST_F(Layers, AChangedKindDropsTheKeysOfTheOldOne) {
  const std::string run = write("run.toml",
                                "[model.norm]\nkind = \"layer\"\nbias = false\neps = 0.5\n"
                                "[optim]\nbetas = [0.5, 0.5]\nlr = 2\n");
  const LoadedConfig loaded = load(run, {"model.norm.kind=rms", "optim.kind=sgd"});
  EXPECT_EQ(config_.model.norm.options_as<RmsNorm::Config>().eps, 0.5);
  EXPECT_EQ(config_.optim.lr, 2);
  EXPECT_EQ(loaded.notes,
            (std::vector<std::string>{
                "model.norm.bias (" + run +
                    ":3) is dropped: --set changes model.norm.kind from \"layer\" to \"rms\"",
                "optim.betas (" + run +
                    ":6) is dropped: --set changes optim.kind from \"adamw\" to \"sgd\""}));
  EXPECT_EQ(loaded.origins.count("model.norm.bias"), 0u);
}

TEST_F(Layers, BaseKindsAreDroppedByTheFile) {
  write("base.toml", "model.norm = {kind = \"layer\", bias = false}\n");
  const std::string run = write("run.toml", "base = \"base.toml\"\nmodel.norm.kind = \"rms\"\n");
  EXPECT_EQ(load(run).notes.size(), 1u);
  EXPECT_EQ(load(run, {"model.norm.kind=layer"}).notes.size(), 0u);
  EXPECT_FALSE(config_.model.norm.options_as<LayerNorm::Config>().bias);
}

TEST_F(Layers, InTheSameLayerOrWithTheSameKindTheyAreErrors) {
  EXPECT_EQ(
      error_of("model.norm = {kind = \"rms\", bias = true}"),
      "run.toml:1:29: model.norm.bias: unknown key of kind \"rms\"; it is one of kind \"layer\"");
  EXPECT_EQ(error_of("", {"model.norm.kind=rms", "model.norm.bias=true"}),
            "--set: model.norm.bias: unknown key of kind \"rms\"; it is one of kind \"layer\"");
  EXPECT_EQ(
      error_of("model.norm.bias = true", {"model.norm.kind=rms"}),
      "run.toml:1:12: model.norm.bias: unknown key of kind \"rms\"; it is one of kind \"layer\"");
}

TEST_F(Layers, ASlipThatNoKindKnowsIsNotDropped) {
  EXPECT_EQ(error_of("model.norm.epz = 1", {"model.norm.kind=layer"}),
            "run.toml:1:12: model.norm.epz: unknown key, did you mean \"eps\"?");
}

TEST_F(Layers, RelativePathsStartWhereTheyWereWritten) {
  write("deep/base.toml", "train.init = \"run\"\n");
  const std::string run = write("run.toml",
                                "base = \"deep/base.toml\"\n[data]\npath = [\"a.txt\", \"/b\"]\n"
                                "sources = [{path = \"../c\"}]\n");
  load(run, {"data.sources=[{path = \"here\"}, {path = \"/there\"}]"});
  EXPECT_EQ(config_.train.init, (folder_ / "deep/run").string());
  EXPECT_EQ(config_.data.path, (std::vector<std::string>{folder_ / "a.txt", "/b"}));
  EXPECT_EQ(config_.data.sources[0].path, (fs::current_path() / "here").string());
  EXPECT_EQ(config_.data.sources[1].path, "/there");
  load(run);
  EXPECT_EQ(config_.data.sources[0].path, (folder_.parent_path() / "c").string());
}

TEST_F(Layers, FilesNamedRelativeToTheWorkingDirectory) {
  write("run.toml", "base = \"sub/base.toml\"\ntrain.init = \"x\"\n");
  write("sub/base.toml", "model.dmi = 1\ntrain.init = \"y\"\n");
  fs::current_path(folder_);
  const std::string error = error_at("run.toml");
  write("sub/base.toml", "train.init = \"y\"\n");
  write("run.toml", "base = \"sub/base.toml\"\n");
  load("run.toml");
  fs::current_path(before_);
  EXPECT_EQ(error, "sub/base.toml:1:7: model.dmi: unknown key, did you mean \"dim\"?");
  EXPECT_EQ(config_.train.init, (folder_ / "sub/y").string());
}

TEST_F(Layers, BaseOfTextStartsInTheWorkingDirectory) {
  write("base.toml", "model.dim = 64\n");
  fs::current_path(folder_);
  load_config_text("pasted", "base = \"base.toml\"", {}, config_);
  EXPECT_EQ(config_.model.dim, 64);
}

TEST_F(Layers, AWorkingDirectoryThatIsGone) {
  fs::create_directory(folder_ / "gone");
  fs::current_path(folder_ / "gone");
  fs::remove(folder_ / "gone");
  load(write("run.toml", "model.dim = 64\n"), {"train.init=x"});
  EXPECT_EQ(config_.train.init, "x");
}

TEST_F(Layers, EmptyPathsStayEmpty) {
  load(write("run.toml", "train.init = \"\"\n"));
  EXPECT_EQ(config_.train.init, "");
}

}  // namespace
}  // namespace keel
