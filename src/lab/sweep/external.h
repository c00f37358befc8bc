// A trainer that is not ours: a command with placeholders, run by a shell, whose log says what came
// of it. Its folder stays: only its owner knows what in it is of use.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "config/fields.h"
#include "core/stop.h"
#include "lab/sweep/runner.h"

namespace keel {

// The table [trial] of a sweep's or a frontier's file.
struct ExternalConfig final : Config {
  struct Columns final : Config {
    std::string step = "step", loss = "loss", val_loss = "val_loss";
    void fields(Fields& f) override;
  };
  std::string command, log = "log.csv";
  Columns columns;
  double time_limit = 0;
  int64_t steps = 0, warmup = 0;
  double unigram_entropy = 0;
  void fields(Fields& f) override;
  void validate(Errors& errors) const override;
};

// A file of trials names the config of our own trainer or the command of another one.
void check_base(const std::string& base, const ExternalConfig& trial, Errors& errors);

// The part of a setup that it makes up.
void put(const ExternalConfig& config, TrialSetup& setup);

// `command` with {key} replaced by the value of that key, quoted for a shell; a key's last part
// will do where no other key ends in it. Also {seed}, {out} and {arm}; {{ and }} stand for braces.
// ConfigError naming a placeholder that is none of these, or ends several keys.
std::string fill_in(const std::string& command, const TrialPlan& plan, const std::string& out);

// Runs the command in a process group of its own, in the folder that the setup names, with its
// outputs in FOLDER/stdout and FOLDER/stderr, and reads its log. Nothing when a stop was asked
// for: the group is then ended. Throws DataError: it ended with another code than 0, was ended for
// the time limit, wrote no log or not what is asked of it; MemoryError, IoError when it cannot be
// started.
std::optional<TrialResult> run_external(const TrialSetup& setup, const std::string& folder,
                                        const TrialPlan& plan, StopRequests& requests,
                                        const std::function<void()>& heartbeat);

}  // namespace keel
