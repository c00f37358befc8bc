// keel config show, check, schema and diff.

#include "train/config.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/commands.h"
#include "cli/output.h"
#include "config/print.h"
#include "io/fs.h"
#include "train/run_dir.h"

namespace keel {
namespace {

struct Read {
  RunConfig config;
  LoadedConfig loaded;
};

// A TOML file, or a run whose resolved config keeps the origins that were written down.
Read read(const std::string& path, const std::vector<std::string>& sets) {
  Fs& fs = real_fs();
  Read r;
  if (fs.is_dir(path) && is_run(fs, path)) {
    const std::string file = join_path(path, "config.toml");
    r.loaded = load_resolved(file, fs.read_file(file, kMaxTextBytes), sets, r.config);
  } else {
    r.loaded = load_config(path, sets, r.config);
  }
  return r;
}

}  // namespace

int run(const ConfigShowArgs& args) {
  const Read r = read(args.config, args.sets);
  for (const std::string& n : r.loaded.notes) say("note: " + n);
  print(to_toml(r.config, &r.loaded.origins));
  return kExitOk;
}

int run(const ConfigCheckArgs& args) {
  const Read r = read(args.config, args.sets);
  for (const std::string& n : r.loaded.notes) say("note: " + n);
  print(args.config + ": ok\n");
  return kExitOk;
}

int run(const ConfigSchemaArgs& args) {
  const Read r = args.config.empty() ? Read() : read(args.config, {});
  print(to_json_schema(r.config, "The config of a keel run") + "\n");
  return kExitOk;
}

int run(const ConfigDiffArgs& args) {
  const Read a = read(args.a, {}), b = read(args.b, {});
  const std::vector<Difference> rows = diff_configs(a.config, b.config);
  size_t key = 0, value = args.a.size();
  for (const Difference& d : rows) {
    key = std::max(key, d.key.size());
    value = std::max(value, d.a.size());
  }
  if (rows.empty()) {
    print("no differences\n");
    return kExitOk;
  }
  std::string text = fmt::format("{:{}}  {:{}}  {}\n", "", key, args.a, value, args.b);
  for (const Difference& d : rows) {
    text += fmt::format("{:{}}  {:{}}  {}\n", d.key, key, d.a.empty() ? "-" : d.a, value,
                        d.b.empty() ? "-" : d.b);
  }
  print(text);
  return kExitOk;
}

}  // namespace keel
