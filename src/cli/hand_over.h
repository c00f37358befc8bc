// keel links no CUDA library; a run whose config says device = "cuda" belongs to the program
// keel-cuda, which understands the same command line.
#pragma once

#include <string>
#include <vector>

#include "train/config.h"
#include "train/session.h"

namespace keel {

// Keeps the command line for the functions below.
void remember_command_line(char** argv);

// Becomes keel-cuda where the config asks for cuda, this program lacks it, and keel-cuda lies
// beside this program or in PATH. Otherwise returns; what needs the device then says what is
// missing.
void hand_over(const RunConfig& config);
// The same for the config file of a new run, and for a run or checkpoint (nothing happens where it
// has no readable config). ConfigError as load_config throws it.
void hand_over_config(const std::string& config, const std::vector<std::string>& sets);
void hand_over_run(const std::string& run, const std::vector<std::string>& sets = {});
// open_model by the program that can, with its notes said.
TrainedModel open_trained_model(const std::string& run);

}  // namespace keel
