// From TOML text and --set arguments to config structs. Layers, lowest first: the defaults in the
// structs, the file named by `base`, the file, its [set] table, --set. A preset that a layer names
// (presets.h) is a layer just below it. All errors, of values and of rules between them, are
// collected and thrown as one ConfigError with a line for each:
//
//   run.toml:6:1: model.norm.bias: unknown key of kind "rms"; it is one of kind "layer"
//   --set: model.norm.epz: unknown key, did you mean "eps"?
//   run.toml:3:7: model.dim: must be at least 1, is 0
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "config/fields.h"

namespace keel {

// Dotted key -> "default", "run.toml:3" (file and line), "--set", or of a preset "run.toml:3
// (method "qk_norm")", with the preset's note behind a semicolon.
using Origins = std::map<std::string, std::string>;

struct LoadedConfig {
  Origins origins;  // every key of the config, list elements as data.sources[0].path
  std::vector<std::string>
      notes;  // for the log: keys dropped because a higher layer changed `kind`
};

// Reads the file at `path`, then each of `sets` ("model.norm.kind=layer"), into `out`, which holds
// the defaults on entry. Throws ConfigError, also when the file is missing or unreadable; `out` is
// then partly filled.
LoadedConfig load_config(const std::string& path, const std::vector<std::string>& sets,
                         Config& out);
// The same from text; `name` stands for the file in messages and relative paths (also of `base`)
// are relative to the working directory.
LoadedConfig load_config_text(const std::string& name, std::string_view text,
                              const std::vector<std::string>& sets, Config& out);
// The file alone, of one that is no config of a run: `base` and `set` are keys like all others.
LoadedConfig load_plain(const std::string& path, Config& out);
// The same from what to_toml() wrote with origins, as in a run directory: values keep the origin
// that their comment states.
LoadedConfig load_resolved(const std::string& name, std::string_view text,
                           const std::vector<std::string>& sets, Config& out);
// Validates a config that was filled by hand; ConfigError with a line "key: text" for each error.
// Rules between values are only looked at when all values are fine by themselves.
void check_config(const Config& config);

}  // namespace keel
