// What can be written about a config: resolved TOML, origins, help, JSON schema, hash, differences.
// Output depends only on the walk and the values. The walk takes a mutable struct, but none of
// these changes it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/load.h"

namespace keel {

// TOML that loads to the same values (doubles in the shortest form that reads back to the same
// bits). With `origins` each line ends in a comment such as `# run.toml:3`.
std::string to_toml(const Config& config, const Origins* origins = nullptr);
// {"model.dim": "run.toml:3", ...}
std::string origins_json(const Origins& origins);
// JSON Schema (2020-12) of the TOML file: types, ranges, docs, and as defaults the values held.
std::string to_json_schema(const Config& config, const std::string& title);
// One line for each key: name, default, range, doc; all kinds of every variant.
std::string config_help(const Config& config);

struct KeyValue {
  std::string key;    // dotted: model.norm.kind, data.sources[0].path
  std::string value;  // as TOML
};
// Every key in the order of the walk.
std::vector<KeyValue> flatten(const Config& config);

struct Difference {
  std::string key;
  std::string a, b;  // as TOML; empty where that side has no such key
};
// Keys whose values differ, in a's order, then those that only b has.
std::vector<Difference> diff_configs(const Config& a, const Config& b);

// FNV-1a over keys and values; equal configs have equal hashes on every machine.
uint64_t config_hash(const Config& config);

}  // namespace keel
