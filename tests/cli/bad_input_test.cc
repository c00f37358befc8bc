// Bad input of every kind: one message that says what, where and what would be right, the exit code
// of its kind, and nothing half-written.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>

#include "core/device.h"
#include "run_keel.h"

namespace keel {
namespace {

// The error alone on standard error, this code, nothing printed as a result.
void expect_error(const ProgramEnd& o, int code, const std::string& text) {
  EXPECT_EQ(o.code, code) << o.err;
  EXPECT_NE(("\n" + o.err).find("\nkeel: "), std::string::npos) << o.err;
  EXPECT_NE(o.err.find(text), std::string::npos) << o.err << "\nlacks\n" << text;
  EXPECT_EQ(o.out, "");
}

class BadInput : public testing::Test {
 protected:
  // Training with these settings is refused and leaves no trace.
  void refused(const std::vector<std::string>& sets, int code, const std::string& text) {
    const std::vector<std::string> before = real_fs().list(small_.path());
    std::vector<std::string> arguments;
    for (const std::string& s : sets) arguments.insert(arguments.end(), {"--set", s});
    expect_error(small_.train("run", arguments), code, text);
    EXPECT_EQ(real_fs().list(small_.path()), before);
  }
  std::string write(const std::string& name, std::string_view bytes) {
    real_fs().write_file(small_.file(name), bytes);
    return small_.file(name);
  }
  void refused_data(const std::string& kind, const std::string& path, const std::string& text) {
    refused({"data.kind=" + kind, "data.path=\"" + path + "\"", "model.vocab=300"}, 3, text);
  }

  SmallRun small_;
};

TEST_F(BadInput, Config) {
  refused({"model.dmi=3"}, 2, "--set: model.dmi: unknown key, did you mean \"dim\"?");
  refused({"model.dim=wide"}, 2, "--set: model.dim: must be");
  refused({"model.dim=0"}, 2, "--set: model.dim: must be between 1 and ");
  refused({"model.heads=3"}, 2, "3 heads do not divide dim 32");
  refused({"model.dim=30", "model.heads=2"}, 2, "rope turns pairs of values, but a head has 15");
  refused({"model.norm.kind=rmz"}, 2, "did you mean \"rms\"");
  refused({"train.device=tpu"}, 2, "train.device: must be one of \"cpu\", \"cuda\"");
  refused({"model.dim"}, 2, "--set: \"model.dim\" has no \"=\", expected key=value");
}

TEST_F(BadInput, SeveralErrorsAtOnceWithLineAndColumn) {
  const std::string bad =
      write("bad.toml", "[model]\ndmi = 3\nlayers = \"two\"\n[train]\nbatch = 0\n");
  const ProgramEnd o = keel({"train", bad, "--out", small_.file("run"), "--set", "clip.norn=1"});
  expect_error(o, 2, "bad.toml:2:1: model.dmi: unknown key, did you mean \"dim\"?");
  expect_error(o, 2, "bad.toml:3:10: model.layers: must be");
  expect_error(o, 2, "bad.toml:5:9: train.batch: must be between 1 and ");
  expect_error(o, 2, "--set: clip.norn: unknown key, did you mean \"norm\"?");
  EXPECT_FALSE(real_fs().exists(small_.file("run")));
}

// Unknown variant, option of another variant, value out of range and impossible combinations.
TEST_F(BadInput, TechniquesAtOnceWithLineAndColumn) {
  const std::string bad = write("bad.toml",
                                "[model]\n"
                                "final_norm = \"on\"\n"
                                "placement.kind = \"post\"\n"
                                "attention_norm = false\n"
                                "[optim]\n"
                                "kind = \"lionn\"\n"
                                "[clip]\n"
                                "kind = \"zclip\"\n"
                                "relative = 2\n"
                                "[task]\n"
                                "z_loss = -1\n");
  const ProgramEnd o = keel({"train", bad, "--out", small_.file("run"), "--set",
                             "schedule.kind=sgdr", "--set", "schedule.t_mult=0.5"});
  for (const char* line :
       {"bad.toml:2:14: model.final_norm: \"on\" does not go with placement \"post\": ",
        "bad.toml:4:18: model.attention_norm: placement \"post\" has no norm in front of attention",
        "bad.toml:6:8: optim.kind: unknown optimizer \"lionn\", did you mean \"lion\"?",
        "bad.toml:9:1: clip.relative: unknown key of kind \"zclip\"; it is one of kind \"adagc\"",
        "bad.toml:11:10: task.z_loss: must be at least 0, is -1",
        "--set: schedule.t_mult: must be at least 1, is 0.5"}) {
    expect_error(o, 2, line);
  }
  EXPECT_FALSE(real_fs().exists(small_.file("run")));
}

// What a value on its own breaks and what several break together come in one go, and nothing that
// would only follow from a wrong value: heads that do not divide an unread width, muP with an
// optimizer that is not known, a warm-up that does not fit into steps that are not.
TEST_F(BadInput, CombinationsBesideWrongValues) {
  const std::string bad = write("bad.toml",
                                "[model]\n"
                                "dim = \"wide\"\n"
                                "heads = 3\n"
                                "final_norm = \"on\"\n"
                                "placement.kind = \"post\"\n"
                                "norm = {kind = \"rmz\", zero_centred = true}\n"
                                "linear.kind = \"weight_norm\"\n"
                                "init.kind = \"mup\"\n"
                                "attention = {v_norm = true, softcap = -1}\n"
                                "[optim]\n"
                                "kind = \"lionn\"\n"
                                "qk_clip.tau = 50\n"
                                "[schedule]\n"
                                "warmup = 5000\n"
                                "[train]\n"
                                "steps = 0\n"
                                "accumulate = 2\n"
                                "batch_warmup.start = 4\n"
                                "[task]\n"
                                "label_smothing = 0.1\n");
  const std::vector<std::string> lines{
      bad + ":2:7: model.dim: must be an integer",
      bad + ":6:16: model.norm.kind: unknown norm \"rmz\", did you mean \"rms\"? (known: ",
      bad + ":9:39: model.attention.softcap: must be at least 0, is -1",
      bad + ":20:1: task.label_smothing: unknown key, did you mean \"label_smoothing\"?",
      bad + ":16:9: train.steps: must be between 1 and 1e+12, is 0",
      bad + ":11:8: optim.kind: unknown optimizer \"lionn\", did you mean \"lion\"? (known: ",
      bad + ":9:23: model.attention.v_norm: values are normed as queries and keys are, which",
      bad + ":7:15: model.linear.kind: muP's deviations and rates are those of plain weights",
      bad + ":4:14: model.final_norm: \"on\" does not go with placement \"post\": ",
      bad + ":18:22: train.batch_warmup.start: 4 is more than train.accumulate = 2",
      bad + ":12:15: optim.qk_clip.tau: model.linear.kind = \"weight_norm\" undoes what QK-clip"};
  const std::string run = small_.file("run");
  for (const auto& command :
       {std::vector<std::string>{"config", "check", bad}, {"train", bad, "--out", run}}) {
    const ProgramEnd o = keel(command);
    for (const std::string& line : lines) expect_error(o, 2, line);
    EXPECT_EQ(std::count(o.err.begin(), o.err.end(), '\n'), std::ssize(lines)) << o.err;
  }
  EXPECT_FALSE(real_fs().exists(run));
}

TEST_F(BadInput, ConfigFile) {
  expect_error(keel({"train", small_.file("no.toml")}), 2, "no.toml\" does not exist");
  expect_error(keel({"train", small_.path()}), 2, small_.path());
  expect_error(keel({"train", write("cut.toml", "[model\n")}), 2, "cut.toml:1:");
}

TEST_F(BadInput, Data) {
  refused_data("text", small_.file("no.txt"), "no.txt");
  refused_data("text", write("empty.txt", ""), "empty.txt");
  refused_data("text",
               write("binary.txt", std::string("a\0b\0c\xff\xfe", 7) + std::string(4096, '\0')),
               "binary.txt");
  refused_data("text", write("short.txt", "too short"), "short.txt");
  refused_data("jsonl", write("bad.jsonl", "{\"text\": \"a\"}\n{\"text\": 3}\n"), "bad.jsonl");
  if (::getuid() != 0) {
    const std::string secret = write("secret.txt", "text");
    ASSERT_EQ(::chmod(secret.c_str(), 0), 0);
    refused_data("text", secret, "secret.txt");
  }
}

std::string shard(const std::vector<uint16_t>& tokens, int32_t says) {
  std::vector<int32_t> header(256);
  header[0] = 20240520;
  header[1] = 1;
  header[2] = says;
  std::string bytes(1024 + 2 * tokens.size(), '\0');
  std::memcpy(bytes.data(), header.data(), 1024);
  std::memcpy(bytes.data() + 1024, tokens.data(), 2 * tokens.size());
  return bytes;
}

TEST_F(BadInput, Shards) {
  std::vector<uint16_t> tokens(2000, 7);
  refused_data("shards", write("cut.bin", shard(tokens, 5000)), "cut.bin");
  tokens[1500] = 301;
  refused_data("shards", write("id.bin", shard(tokens, 2000)), "301");
  refused_data("npy",
               write("type.npy", std::string("\x93NUMPY\x01\0v\0", 10) +
                                     "{'descr': '<f4', 'fortran_order': False, 'shape': "
                                     "(8,), }" +
                                     std::string(300, ' ')),
               "type.npy");
  refused_data("jsonl", write("cut.jsonl.zst", std::string("\x28\xb5\x2f\xfd\x04\x58\x41\x00", 8)),
               "cut.jsonl.zst");
}

TEST_F(BadInput, RunThatExists) {
  ASSERT_EQ(small_.train("run", {"--quiet"}).code, 0);
  const std::string before = real_fs().read_file(small_.file("run/config.toml"), kMaxTextBytes);
  expect_error(small_.train("run"), 2, "exists");
  EXPECT_EQ(real_fs().read_file(small_.file("run/config.toml"), kMaxTextBytes), before);
}

TEST_F(BadInput, RunThatCannotBeWritten) {
  const std::vector<std::string> before = real_fs().list(small_.path());
  expect_error(keel({"train", small_.file("run.toml"), "--out", small_.file("text.txt/run")}), 74,
               "text.txt");
  EXPECT_EQ(real_fs().list(small_.path()), before);
}

TEST_F(BadInput, RunThatIsNotThere) {
  for (const char* command : {"resume", "eval", "generate", "data", "report", "runs"}) {
    std::vector<std::string> line = {command, small_.file("no")};
    if (line[0] == "eval") line.insert(line.end(), {"--data", small_.file("text.txt")});
    if (line[0] == "data") line = {"data", "show", small_.file("no"), "--step", "1"};
    if (line[0] == "report") line.insert(line.end(), {"-o", small_.file("r.html")});
    if (line[0] == "runs") line = {"runs", "compare", small_.file("no")};
    expect_error(keel(line), 3, small_.file("no"));
  }
  EXPECT_FALSE(real_fs().exists(small_.file("r.html")));
  expect_error(keel({"runs", "ls", small_.file("no")}), 3, small_.file("no"));
  expect_error(keel({"data", "inspect", small_.file("no.txt")}), 3, "no.txt");
}

TEST_F(BadInput, PromptThatTheTokenizerDoesNotKnow) {
  ASSERT_EQ(small_.train("run", {"--quiet", "--set", "data.kind=markov"}).code, 0);
  expect_error(keel({"generate", small_.file("run"), "-p", "x"}), 3,
               "this model's tokens are numbers from 0 to 63");
}

TEST_F(BadInput, RunInUse) {
  Running first(small_.train_line("run", {"--set", "train.steps=100000000"}));
  ASSERT_TRUE(first.says("| loss ")) << first.err();
  expect_error(keel({"resume", small_.file("run")}), 2, "is in use by process ");
  first.send(SIGTERM);
  EXPECT_EQ(first.wait().code, 75);
}

TEST_F(BadInput, DiskFullWhileSaving) {
  // The first checkpoint is larger than any file may become.
  Surroundings around;
  around.file_bytes = 60'000;
  const ProgramEnd o = small_.train("run", {"--set", "checkpoint.every=2"}, around);
  EXPECT_EQ(o.code, 74) << o.err;
  EXPECT_NE(o.err.find("\nkeel: "), std::string::npos) << o.err;
  EXPECT_NE(o.err.find("safetensors"), std::string::npos) << o.err;
  EXPECT_TRUE(real_fs().list(small_.file("run/ckpt")).empty());
  const ProgramEnd again = keel({"resume", small_.file("run")});
  EXPECT_EQ(again.code, 0) << again.err;
}

TEST_F(BadInput, DamagedCheckpoint) {
  ASSERT_EQ(small_.train("run", {"--quiet"}).code, 0);
  const std::string run = small_.file("run"), folder = run + "/ckpt/step-00000004";
  const std::string file = folder + "/model.safetensors";
  const std::string whole = real_fs().read_file(file, kMaxTextBytes);
  std::string flipped = whole;
  flipped[flipped.size() - 9] = static_cast<char>(flipped[flipped.size() - 9] ^ 1);
  for (const std::string& bytes : {flipped, whole.substr(0, whole.size() - 4)}) {
    overwrite(file, bytes);
    for (const std::string& from : {run, folder}) {
      expect_error(keel({"generate", from, "-p", "x"}), 3, "model.safetensors");
    }
    expect_error(keel({"resume", run}), 3, "no checkpoint of the run verifies; step-00000004");
  }
  overwrite(file, whole);
  EXPECT_EQ(keel({"generate", run, "-p", "x", "-n", "1"}).code, 0);
}

// The first weights may come from a file that anybody has made.
TEST_F(BadInput, ModelFilesThatBreakTheFormat) {
  const auto entry = [](const std::string& dtype, const std::string& shape, const std::string& at) {
    return "{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":" + at + "}";
  };
  const auto file = [&](const std::string& header, size_t bytes, uint64_t longer = 0) {
    const uint64_t n = header.size() + longer;
    return std::string(reinterpret_cast<const char*>(&n), 8) + header + std::string(bytes, '\0');
  };
  const auto refused_file = [&](const std::string& bytes, const std::string& text) {
    const std::string path = small_.file("model.safetensors");
    if (real_fs().exists(path)) real_fs().remove_file(path);
    write("model.safetensors", bytes);
    refused({"train.init=\"" + path + "\""}, 3, "keel: " + path + ": " + text);
  };
  const std::string t = "tensor \"t\": ", one = entry("F32", "[1]", "[0,4]");
  refused_file("", "0 bytes, a safetensors file has at least 8");
  refused_file(file("{}", 0, 1), "header of 3 bytes in a file of 10");
  refused_file(file("{}", 0, 100'000'000), "header of 100000002 bytes, the limit is 100000000");
  refused_file(file("{\"t\":" + one + ",\"t\":" + one + "}", 4), "byte ");
  refused_file(file("{\"t\":" + std::string(5000, '['), 0), "byte 69: nested deeper than 64");
  refused_file(file("{\"\xff\x1b[2J\":1}", 0), "byte ");
  refused_file(file("{\"t\":" + entry("F32", "[2]", "[0,4]") + "}", 4),
               t + "F32 of shape [2] takes");
  refused_file(file("{\"t\":" + entry("F31", "[1]", "[0,4]") + "}", 4), t + "unknown dtype");
  refused_file(file("{\"t\":" + entry("F32", "[1]", "[4,8]") + "}", 4), t + "data_offsets [4, 8]");
  refused_file(file("{\"t\":" + entry("F32", "[1]", "[4,8]") + "}", 8), t + "its data has a gap");
  refused_file(file("{\"a\":" + one + ",\"t\":" + one + "}", 4), t + "its data overlaps");
  refused_file(file("{\"t\":" + one + "}", 5), "1 bytes after the last tensor");
  refused_file(file("{\"t\":" + one + "}", 4), "it has no tensor \"");
}

TEST_F(BadInput, CheckpointOfAnotherModel) {
  ASSERT_EQ(small_.train("other", {"--quiet"}).code, 0);
  refused({"train.init=\"" + small_.file("other") + "\"", "model.dim=64"}, 3, "[257, 64]");
}

TEST_F(BadInput, ResumeUnderAChangedTechnique) {
  ASSERT_EQ(small_.train("run", {"--quiet"}).code, 0);
  const std::string run = small_.file("run");
  const std::string before = real_fs().read_file(run + "/config.toml", kMaxTextBytes);
  const auto resume = [&](const std::vector<std::string>& sets) {
    std::vector<std::string> arguments{"resume", run};
    for (const std::string& s : sets) arguments.insert(arguments.end(), {"--set", s});
    return keel(arguments);
  };
  const auto refused = [&](const std::vector<std::string>& sets, const std::string& text) {
    expect_error(resume(sets), 2, text);
    EXPECT_EQ(real_fs().read_file(run + "/config.toml", kMaxTextBytes), before);
  };
  const std::string leave = "; leave these keys as they were, or begin a new run:\n  ";
  refused({"model.norm.kind=layer", "optim.lr=0.5"},
          "ckpt/step-00000004 does not fit the changed config: it has no "
          "blocks.0.attention_norm.bias" +
              leave +
              "model.norm.kind = \"layer\" (was \"rms\")\n  "
              "model.norm.bias = true (was false)\n");
  refused({"model.dim=64"}, "its blocks.0.attention.k.weight is [32, 32], not [64, 64]" + leave +
                                "model.dim = 64 (was 32)\n");
  refused({"model.norm.gain=false"}, "its blocks.0.attention_norm.gain would have no place" +
                                         leave + "model.norm.gain = false (was true)\n");
  refused({"model.norm.zero_centred=true"}, "the same numbers would stand for something else" +
                                                leave +
                                                "model.norm.zero_centred = true (was false)\n");
  refused({"model.position.layout=interleaved"}, "the same numbers would stand for something else");
  refused({"model.heads=4"},
          "the same numbers would stand for something else" + leave + "model.heads = 4 (was 2)\n");
  refused({"method=qk_norm_cap"}, leave +
                                      "method = \"qk_norm_cap\" (was \"none\")\n  "
                                      "model.norm.kind = \"layer\" (was \"rms\")\n");
  ASSERT_EQ(small_.train("sgd", {"--quiet", "--set", "optim.kind=sgd"}).code, 0);
  expect_error(keel({"resume", small_.file("sgd"), "--set", "optim.kind=lion"}), 2,
               "the same numbers would stand for something else" + leave +
                   "optim.kind = \"lion\" (was \"sgd\")\n");
  refused({"clip.kind=adagc"}, "it has no clip/average" + leave + "clip.kind = \"adagc\"");
  const ProgramEnd accepted =
      resume({"optim.lr=0.5", "model.head.softcap=30", "schedule.final=0.5", "train.steps=5"});
  EXPECT_EQ(accepted.code, 0) << accepted.err;
  for (const char* line :
       {"changed: model.head.softcap = 30.0 (was 0.0)", "changed: train.steps = 5 (was 4)",
        "changed: optim.lr = 0.5 (was 0.001)", "changed: schedule.final = 0.5 (was 0.1)"}) {
    EXPECT_NE(accepted.err.find(line), std::string::npos) << accepted.err << "\nlacks\n" << line;
  }
}

TEST_F(BadInput, MoreMemoryThanThereIs) {
  refused({"model.dim=16384", "model.layers=100", "model.heads=64", "data.path=no.txt"}, 71,
          " MiB are available: weights ");
}

TEST_F(BadInput, CudaWithoutIt) {
  if (kHasCuda) GTEST_SKIP() << "the program has CUDA";
  if (real_fs().exists(join_path(parent_path(KEEL_PROGRAM), "keel-cuda"))) {
    GTEST_SKIP() << "keel-cuda lies beside the program";
  }
  refused({"train.device=cuda"}, 1, "keel-cuda");
  // The same command line goes to keel-cuda where there is one.
  const std::string program = write("keel-cuda", "#!/bin/sh\necho \"$@\"\nexit 9\n");
  ASSERT_EQ(::chmod(program.c_str(), 0755), 0);
  Surroundings around;
  around.environment = {{"PATH", small_.path() + ":/usr/bin:/bin"}};
  const ProgramEnd o = small_.train("run", {"--set=train.device=cuda"}, around);
  EXPECT_EQ(o.code, 9) << o.err;
  EXPECT_EQ(o.out, "train " + small_.file("run.toml") + " --out " + small_.file("run") +
                       " --set=train.device=cuda\n");
}

}  // namespace
}  // namespace keel
