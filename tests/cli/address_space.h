// A run under a limit of its address space: it trains, or it says before the first step that memory
// is short, with exit code 71, and leaves nothing behind.
#pragma once

#include <gtest/gtest.h>

#include "harness/sanitized.h"
#include "io/json.h"
#include "run_keel.h"

namespace keel {

// Its memory is almost all activations, so that it is large and quick to train and save.
class LargeStep {
 public:
  LargeStep() {
    const Json plan = parse_json(
        keel({"plan", small_.file("run.toml"), "--json", "--set", kBatch}).last_line(), "plan");
    planned_ = plan.at("bytes").at("total").as_uint();
  }
  uint64_t planned() const { return planned_; }

  // Returns whether it trained.
  bool under(uint64_t address_bytes) const {
    Surroundings around;
    around.address_bytes = address_bytes;
    const std::string name = "run" + std::to_string(address_bytes);
    const ProgramEnd o = small_.train(
        name, {"--set", kBatch, "--set", "train.steps=2", "--set", "log.probes=2"}, around);
    if (o.code == 0) {
      EXPECT_TRUE(real_fs().exists(small_.file(name + "/ckpt/step-00000002"))) << o.err;
      return true;
    }
    // Below what the libraries take the program cannot even be loaded.
    const bool not_started = o.code == 127 || o.code == 128 + SIGKILL;
    EXPECT_TRUE(o.code == 71 || not_started)
        << address_bytes * 100 / planned_ << " % of the plan: " << o.code << " " << o.err;
    EXPECT_EQ(o.err.find("| loss "), std::string::npos) << o.err;
    EXPECT_FALSE(real_fs().exists(small_.file(name)));
    return false;
  }

 private:
  static constexpr const char* kBatch = "train.batch=1536";
  SmallRun small_;
  uint64_t planned_ = 0;
};

}  // namespace keel
