#include "train/checkpoint_files.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "checkpoints.h"
#include "io/error_text.h"
#include "io/faulty_fs.h"
#include "io/hash.h"
#include "io/temp_dir.h"

namespace keel {
namespace {

// Weights and moments that depend on the step, so that checkpoints can be told apart.
struct State {
  explicit State(int64_t at_step) : step(at_step), weight(600), moment(600) {
    std::iota(weight.begin(), weight.end(), static_cast<float>(step));
    std::iota(moment.begin(), moment.end(), -static_cast<float>(step));
  }
  CheckpointContent content() const {
    return {step,
            {{"blocks.0.w", "F32", {20, 30}, weight.data(), 2400},
             {"none", "F32", {0}, nullptr, 0},
             {"empty", "F32", {2, 0}, nullptr, 0}},
            {{"blocks.0.w.m", "F32", {20, 30}, moment.data(), 2400}, {"step", "I64", {}, &step, 8}},
            {{"config.toml", "[train]\n"}, {"tokenizer.json", "{}"}},
            Json::object().set("loss", 1.5).set("data", Json::object().set("position", step))};
  }
  int64_t step;
  std::vector<float> weight, moment;
};

std::string save(Fs& fs, const std::string& run, int64_t step) {
  return save_checkpoint(fs, run, State(step).content());
}

void expect_equal(const LoadedCheckpoint& loaded, int64_t step) {
  const State want(step);
  EXPECT_EQ(loaded.step, step);
  std::vector<float> weight(600), moment(600);
  int64_t stored = 0;
  loaded.model.copy_to("blocks.0.w", "F32", {20, 30}, weight.data());
  loaded.state.copy_to("blocks.0.w.m", "F32", {20, 30}, moment.data());
  loaded.state.copy_to("step", "I64", {}, &stored);
  EXPECT_EQ(weight, want.weight);
  EXPECT_EQ(moment, want.moment);
  EXPECT_EQ(stored, step);
  EXPECT_EQ(loaded.text("config.toml"), "[train]\n");
  EXPECT_EQ(loaded.extra.at("loss").as_double(), 1.5);
  EXPECT_EQ(loaded.extra.at("data").at("position").as_int(), step);
}

std::string read(const std::string& path) { return read_text(path); }

std::string load_error(const std::string& folder) {
  return error_text<DataError>([&] { load_checkpoint(folder); });
}

// The text with a right hash at its end, whatever it says.
std::string sealed(const std::string& fields) {
  const std::string text = "{" + fields + ",";
  return text + "\"xxh3_128\":\"" + xxh3_hex(text) + "\"}\n";
}

TEST(Checkpoint, RoundTrip) {
  const TempDir run;
  const std::string path = save(real_fs(), run.path(), 12000);
  EXPECT_EQ(path, run / "ckpt/step-00012000");
  EXPECT_EQ(real_fs().list(path),
            (std::vector<std::string>{"MANIFEST.json", "config.toml", "model.safetensors",
                                      "state.safetensors", "tokenizer.json"}));
  EXPECT_EQ(real_fs().list(run / "ckpt").size(), 1u);
  expect_equal(load_checkpoint(path), 12000);
  const NewestCheckpoint newest = load_newest_checkpoint(run.path());
  ASSERT_TRUE(newest.found);
  EXPECT_TRUE(newest.skipped.empty());
  expect_equal(*newest.found, 12000);
  EXPECT_EQ(error_text<DataError>([&] { newest.found->text("x"); }),
            path + ": it has no file \"x\"");
}

TEST(Checkpoint, SameStateGivesTheSameBytes) {
  const TempDir a, b;
  const std::string in_a = save(real_fs(), a.path(), 5), in_b = save(real_fs(), b.path(), 5);
  for (const std::string& name : real_fs().list(in_a)) {
    EXPECT_EQ(read(join_path(in_a, name)), read(join_path(in_b, name))) << name;
  }
}

TEST(Checkpoint, ManifestIsFormatOne) {
  const TempDir run;
  const std::string path = save(real_fs(), run.path(), 3);
  const std::string text = read(path + "/MANIFEST.json");
  const size_t last = text.rfind("\"xxh3_128\"");
  const std::string hash = xxh3_hex(text.substr(0, last));
  EXPECT_EQ(text.substr(last), "\"xxh3_128\":\"" + hash + "\"}\n");
  EXPECT_EQ(load_checkpoint(path).manifest_hash, hash);
  const Json m = parse_json(text, "m");
  EXPECT_EQ(m.at("format").as_int(), 1);
  EXPECT_EQ(m.at("step").as_int(), 3);
  EXPECT_EQ(m.at("files").as_array().size(), 4u);
  for (const Json& f : m.at("files").as_array()) {
    const std::string file = read(join_path(path, f.at("name").as_string()));
    EXPECT_EQ(f.at("bytes").as_uint(), file.size());
    EXPECT_EQ(f.at("xxh3_128").as_string(), xxh3_hex(file));
    const Json* tensors = f.find("tensors");
    if (tensors == nullptr) continue;
    const SafetensorsFile st(join_path(path, f.at("name").as_string()));
    EXPECT_EQ(tensors->as_array().size(), st.tensors().size());
    for (const Json& t : tensors->as_array()) {
      const TensorEntry& entry = st.at(t.at("name").as_string());
      EXPECT_EQ(t.at("dtype").as_string(), entry.dtype);
      EXPECT_EQ(t.at("shape"), Json::array_of(entry.shape));
      EXPECT_EQ(t.at("crc32c").as_string(), crc_hex(crc32c(st.data(entry), entry.bytes)));
    }
  }
}

TEST(Checkpoint, WithoutOneThereIsNone) {
  const TempDir run;
  EXPECT_FALSE(load_newest_checkpoint(run.path()).found);
  EXPECT_TRUE(list_checkpoints(real_fs(), run.path()).empty());
  EXPECT_EQ(
      load_error(run / "ckpt/step-00000001"),
      (run / "ckpt/step-00000001/MANIFEST.json") + ": missing, so this is no complete checkpoint");
}

// Fails operation k of a save, for every k; whatever happens, a run keeps a whole checkpoint.
void fail_every_operation(bool persistent, int64_t step) {
  int operations = 1 << 20;
  for (int k = 0; k < operations; ++k) {
    const TempDir run;
    save(real_fs(), run.path(), 10);
    FaultyFs fs;
    fs.at = k;
    fs.persistent = persistent;
    const std::string error = error_text<IoError>([&] { save(fs, run.path(), step); });
    if (error == "no error" && fs.operations <= k) operations = k;  // past the last one
    const NewestCheckpoint newest = load_newest_checkpoint(run.path());
    EXPECT_TRUE(newest.skipped.empty()) << k << ": " << newest.skipped[0].reason;
    const bool cleared = !persistent && k < operations;
    if (newest.found) {
      expect_equal(*newest.found, newest.found->step);
      EXPECT_GE(newest.found->step, 10) << k;
      if (error == "no error") {
        EXPECT_EQ(newest.found->step, step) << k;
      }
      if (cleared && error != "no error") {
        EXPECT_LE(real_fs().list(run / "ckpt").size(), 2u) << k;
        for (const std::string& name : real_fs().list(run / "ckpt")) {
          EXPECT_EQ(name.find(".tmp-"), std::string::npos) << k << " " << name;
        }
      }
    } else {
      // Replacing the only checkpoint can fail between its two renames, and the way back, too.
      EXPECT_TRUE(persistent && step == 10) << k << " " << error;
    }
    remove_leftovers(real_fs(), run.path());
    for (const std::string& name : real_fs().list(run / "ckpt")) {
      EXPECT_TRUE(name == "step-00000010" || name == "step-00000020") << name;
    }
  }
  EXPECT_GT(operations, 20);
}

TEST(Checkpoint, EveryOperationFailsOnce) { fail_every_operation(false, 20); }
TEST(Checkpoint, EveryOperationFailsFromThenOn) { fail_every_operation(true, 20); }
TEST(Checkpoint, EveryOperationFailsOnceWhileReplacing) { fail_every_operation(false, 10); }
TEST(Checkpoint, EveryOperationFailsFromThenOnWhileReplacing) { fail_every_operation(true, 10); }

TEST(Checkpoint, AFullDiskIsFoundBeforeAnythingIsWritten) {
  for (int64_t quota = 0;; quota += 256) {
    const TempDir run;
    save(real_fs(), run.path(), 1);
    FaultyFs fs;
    fs.quota = quota;
    const std::string error = error_text<IoError>([&] { save(fs, run.path(), 2); });
    const NewestCheckpoint newest = load_newest_checkpoint(run.path());
    ASSERT_TRUE(newest.found);
    EXPECT_TRUE(newest.skipped.empty());
    if (error == "no error") {
      expect_equal(*newest.found, 2);
      EXPECT_GT(quota, 4800);
      return;
    }
    EXPECT_NE(error.find("No space left on device"), std::string::npos) << error;
    expect_equal(*newest.found, 1);
    EXPECT_EQ(real_fs().list(run / "ckpt").size(), 1u);
  }
}

TEST(Checkpoint, EveryFlippedByteOfTheManifestIsFound) {
  const TempDir run;
  save(real_fs(), run.path(), 1);
  const std::string path = save(real_fs(), run.path(), 2);
  const std::string manifest = path + "/MANIFEST.json";
  const std::string good = read(manifest);
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ (1 << (i % 8)));
    overwrite(manifest, bad);
    EXPECT_TRUE(load_error(path).starts_with(manifest + ": damaged, ")) << i << load_error(path);
  }
  const NewestCheckpoint newest = load_newest_checkpoint(run.path());
  ASSERT_TRUE(newest.found);
  expect_equal(*newest.found, 1);
  ASSERT_EQ(newest.skipped.size(), 1u);
  EXPECT_EQ(newest.skipped[0].path, path);
  EXPECT_TRUE(newest.skipped[0].reason.starts_with(manifest + ": damaged"));
}

TEST(Checkpoint, EveryFlippedByteOfDataIsFoundAndNamed) {
  const TempDir run;
  const std::string path = save(real_fs(), run.path(), 2);
  for (const char* name : {"model.safetensors", "state.safetensors"}) {
    const std::string file = join_path(path, name);
    const std::string good = read(file);
    const auto tensors = SafetensorsFile(file).tensors();
    for (size_t i = 0; i < good.size(); ++i) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ (1 << (i % 8)));
      overwrite(file, bad);
      std::string want = file + ": damaged, its header does not have its xxh3-128";
      for (const TensorEntry& t : tensors) {
        if (i >= t.begin && i < t.begin + t.bytes) {
          want = file + ": damaged, tensor \"" + t.name + "\" does not have its checksum";
        }
      }
      EXPECT_EQ(load_error(path), want) << i;
    }
    overwrite(file, good);
  }
  overwrite(path + "/config.toml", "[tra1n]\n");
  EXPECT_EQ(load_error(path), path + "/config.toml: damaged, it does not have its xxh3-128");
}

TEST(Checkpoint, FilesCutShortAreFoundAndNamed) {
  const TempDir run;
  save(real_fs(), run.path(), 1);
  const std::string path = save(real_fs(), run.path(), 2);
  for (const char* name : {"model.safetensors", "config.toml", "MANIFEST.json"}) {
    const std::string file = join_path(path, name);
    const std::string good = read(file);
    for (size_t n = 0; n < good.size(); n += 1 + good.size() / 50) {
      overwrite(file, good.substr(0, n));
      EXPECT_TRUE(load_error(path).starts_with(file + ": ")) << load_error(path);
      expect_equal(*load_newest_checkpoint(run.path()).found, 1);
    }
    overwrite(file, good);
  }
  const std::string model = path + "/model.safetensors";
  const std::string good = read(model);
  overwrite(model, good.substr(0, good.size() - 1));
  EXPECT_EQ(load_error(path), model + ": " + std::to_string(good.size() - 1) +
                                  " bytes, the manifest says " + std::to_string(good.size()) +
                                  ", tensor \"blocks.0.w\" is not complete");
  overwrite(model, good + "x");
  EXPECT_EQ(load_error(path), model + ": " + std::to_string(good.size() + 1) +
                                  " bytes, the manifest says " + std::to_string(good.size()));
}

TEST(Checkpoint, MissingFilesAreNamed) {
  for (const char* name : {"model.safetensors", "state.safetensors", "tokenizer.json"}) {
    const TempDir run;
    const std::string path = save(real_fs(), run.path(), 2);
    real_fs().remove_file(join_path(path, name));
    EXPECT_EQ(load_error(path), join_path(path, name) + ": missing");
  }
}

TEST(Checkpoint, ManifestsThatSayWrongThings) {
  const TempDir run;
  const std::string path = save(real_fs(), run.path(), 2), manifest = path + "/MANIFEST.json";
  const auto error = [&](const std::string& fields) {
    overwrite(manifest, sealed(fields));
    const std::string text = load_error(path);
    return text.starts_with(path + "/") ? text.substr(path.size() + 1) : text;
  };
  const std::string start = R"("format":1,"step":2,"extra":{},"files":)";
  const std::string hash = xxh3_hex("{}");
  const auto file = [&](const std::string& name, const std::string& more) {
    return "{\"name\":\"" + name + "\",\"bytes\":2,\"xxh3_128\":\"" + hash + "\"" + more + "}";
  };
  const std::string tokenizer = file("tokenizer.json", "");
  EXPECT_EQ(error(R"("format":2)"), "MANIFEST.json: format 2, this program reads format 1");
  EXPECT_EQ(error(R"("format":1)"), "MANIFEST.json: key \"step\" is missing");
  EXPECT_EQ(error(start + "[1]"), "MANIFEST.json: expected an object, found an integer");
  EXPECT_EQ(error(start + "[" + file("../config.toml", "") + "]"),
            "MANIFEST.json: files: \"../config.toml\" is not a plain file name");
  EXPECT_EQ(error(start + "[" + tokenizer + "," + tokenizer + "]"),
            "tokenizer.json: twice in the manifest");
  EXPECT_EQ(error(start + "[" + tokenizer + "]"), "model.safetensors: not in the manifest");
  EXPECT_EQ(error(start + "[" +
                  file("model.safetensors",
                       R"(,"tensors":[{"name":"x","dtype":"F32","shape":[9],"crc32c":"0"}])") +
                  "]"),
            "MANIFEST.json: model.safetensors: tensor \"x\" does not fit in its 2 bytes");
  EXPECT_EQ(error(start + "[" +
                  file("model.safetensors",
                       R"(,"tensors":[{"name":"x","dtype":"F3","shape":[9],"crc32c":"0"}])") +
                  "]"),
            "MANIFEST.json: tensor \"x\": unknown dtype \"F3\"");
  EXPECT_EQ(error(R"("format":1,"format":1)"),
            "MANIFEST.json: byte 20: key \"format\" appears twice");
}

TEST(Checkpoint, TensorsMustBeThoseOfTheManifest) {
  const TempDir run;
  const std::string path = save(real_fs(), run.path(), 2), manifest = path + "/MANIFEST.json";
  std::string text = read(manifest);
  text = text.substr(1, text.rfind(",\"xxh3_128\"") - 1);
  text.replace(text.find("blocks.0.w"), 10, "blocks.1.w");
  overwrite(manifest, sealed(text));
  EXPECT_EQ(load_error(path),
            path +
                "/model.safetensors: tensor \"blocks.0.w\" stands where the manifest has "
                "\"blocks.1.w\"");
}

TEST(Checkpoint, AFolderOfAnotherStepIsPassedOver) {
  const TempDir run;
  const std::string path = save(real_fs(), run.path(), 2), other = run / "ckpt/step-00000009";
  real_fs().rename(path, other);
  const NewestCheckpoint newest = load_newest_checkpoint(run.path());
  EXPECT_FALSE(newest.found);
  ASSERT_EQ(newest.skipped.size(), 1u);
  EXPECT_EQ(newest.skipped[0].reason, other + ": its manifest is of step 2");
}

TEST(Checkpoint, NothingNonFiniteIsSaved) {
  const TempDir run;
  State state(3);
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    state.moment[599] = bad;
    EXPECT_EQ(
        error_text<DataError>([&] { save_checkpoint(real_fs(), run.path(), state.content()); }),
        "checkpoint of step 3: not saved, tensor \"blocks.0.w.m\" is not finite at element "
        "599");
  }
  EXPECT_TRUE(real_fs().list(run.path()).empty());
}

TEST(Checkpoint, FirstNonFiniteOfEveryFloat) {
  const uint16_t bf16[3] = {0x3f80, 0x7f7f, 0x7f80}, f16[3] = {0x3c00, 0x7bff, 0xfc01};
  const double f64[2] = {1e308, NAN};
  const int32_t i32[2] = {0x7f800000, -1};
  std::vector<float> f32(10'000, 3e38f);
  EXPECT_EQ(first_nonfinite({"x", "BF16", {3}, bf16, 6}), 2);
  EXPECT_EQ(first_nonfinite({"x", "F16", {3}, f16, 6}), 2);
  EXPECT_EQ(first_nonfinite({"x", "F64", {2}, f64, 16}), 1);
  EXPECT_EQ(first_nonfinite({"x", "I32", {2}, i32, 8}), std::nullopt);
  EXPECT_EQ(first_nonfinite({"x", "F32", {10'000}, f32.data(), 40'000}), std::nullopt);
  f32[9999] = INFINITY;
  EXPECT_EQ(first_nonfinite({"x", "F32", {10'000}, f32.data(), 40'000}), 9999);
}

TEST(Checkpoint, ContentThatCannotBeSaved) {
  const TempDir run;
  const auto error = [&](auto change) {
    const State state(3);
    CheckpointContent c = state.content();
    change(c);
    return error_text<DataError>([&] { save_checkpoint(real_fs(), run.path(), c); });
  };
  const std::string where = "checkpoint of step 3: ";
  EXPECT_EQ(error([](auto& c) {
              c.files.push_back({"a/b", ""});
            }),
            where + "\"a/b\" is not a plain file name");
  EXPECT_EQ(error([](auto& c) {
              c.files.push_back({"model.safetensors", ""});
            }),
            where + "two files named \"model.safetensors\"");
  EXPECT_EQ(error([](auto& c) { c.step = -1; }), "checkpoint of step -1: the step is negative");
  EXPECT_TRUE(real_fs().list(run.path()).empty());
}

}  // namespace
}  // namespace keel
