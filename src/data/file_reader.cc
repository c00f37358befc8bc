#include "data/file_reader.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "core/error.h"
#include "data/mixture.h"
#include "io/fs.h"

namespace keel {
namespace {

// Ids of files up to this size are checked before training, of larger ones as they are read.
constexpr int64_t kCheckAtOpenBytes = int64_t{4} << 30;
constexpr int kMaxFolderDepth = 32;

bool ends_with_any(const std::string& name, const std::vector<std::string>& endings) {
  return std::any_of(endings.begin(), endings.end(),
                     [&](const std::string& e) { return name.ends_with(e); });
}

void collect(const std::string& folder, const std::vector<std::string>& endings, int depth,
             std::vector<std::string>& files) {
  if (depth > kMaxFolderDepth) {
    throw DataError(fmt::format("{}: folders nest more than {} deep", folder, kMaxFolderDepth));
  }
  for (const std::string& name : real_fs().list(folder)) {
    const std::string path = join_path(folder, name);
    if (real_fs().is_dir(path)) {
      collect(path, endings, depth + 1, files);
    } else if (ends_with_any(name, endings)) {
      files.push_back(path);
    }
  }
}

// The last part of the first path, numbered where it is taken: folders are no part of a name, since
// data may move.
void name_sources(std::vector<SourceConfig>& sources) {
  std::set<std::string> taken;
  for (const SourceConfig& s : sources) taken.insert(s.name);
  for (SourceConfig& s : sources) {
    if (!s.name.empty() || s.path.empty()) continue;  // no path is told elsewhere
    const std::string plain = base_name(s.path.front());
    s.name = plain;
    for (int i = 2; !taken.insert(s.name).second; ++i) s.name = fmt::format("{} ({})", plain, i);
  }
}

// Whether one of the parts of the file's name (between _ - .) is `word`.
bool has_word(const std::string& path, std::string_view word) {
  const std::string name = "." + base_name(path) + ".";
  for (size_t at = name.find(word); at != std::string::npos; at = name.find(word, at + 1)) {
    constexpr std::string_view kBreaks = "._-";
    if (kBreaks.find(name[at - 1]) != std::string_view::npos &&
        kBreaks.find(name[at + word.size()]) != std::string_view::npos) {
      return true;
    }
  }
  return false;
}

bool for_validation(const std::string& path) {
  return has_word(path, "val") || has_word(path, "valid") || has_word(path, "validation");
}

void require_window(const std::string& name, const char* purpose, int64_t tokens, int64_t windows,
                    int64_t context, const std::string& remedy) {
  const int64_t needed = windows * context + 1;
  if (tokens >= needed) return;
  throw DataError(fmt::format("{}: {} tokens for {}, but {} of model.context = {} {} {}: {}", name,
                              tokens, purpose,
                              windows == 1 ? "a window" : fmt::format("{} lanes", windows), context,
                              windows == 1 ? "needs" : "need", needed, remedy));
}

}  // namespace

std::vector<std::string> expand_paths(const std::vector<std::string>& paths,
                                      const std::vector<std::string>& endings) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    if (!real_fs().exists(path)) {
      throw DataError(fmt::format("{}: no such file or folder", path));
    }
    if (!real_fs().is_dir(path)) {
      files.push_back(path);
      continue;
    }
    const size_t before = files.size();
    collect(path, endings, 0, files);
    if (files.size() == before) {
      throw DataError(
          fmt::format("{}: no {} file in this folder", path, fmt::join(endings, " or ")));
    }
  }
  return files;
}

std::vector<std::string> FileReader::files(const std::vector<std::string>& paths) const {
  return expand_paths(paths, endings());
}

std::optional<int64_t> FileReader::vocab() const {
  const int64_t n = tokenizer().vocab();
  return n > 0 ? std::optional(n) : std::nullopt;
}

void FileReader::check() const {
  if (options_.path.empty() && options_.sources.empty()) {
    throw ConfigError("data.path: names no data: give a file or a folder, or data.sources");
  }
}

std::shared_ptr<const TokenStore> FileReader::load_shared(const std::vector<std::string>& files,
                                                          int64_t vocab) const {
  auto store = std::make_shared<TokenStore>(load(files));
  store->set_vocab(vocab, kCheckAtOpenBytes);
  return store;
}

CorpusSource::Setup FileReader::split(const SourceConfig& source, const DatasetArgs& args) const {
  std::vector<std::string> files = this->files(source.path);
  std::vector<std::string> held_out;
  if (named_split() && options_.val_path.empty()) {
    const auto first = std::stable_partition(files.begin(), files.end(),
                                             [](const auto& f) { return !for_validation(f); });
    if (first != files.begin()) {
      held_out.assign(first, files.end());
      files.erase(first, files.end());
    }
  }
  CorpusSource::Setup setup;
  setup.context = args.context;
  setup.seed = args.seed;
  setup.train.store = load_shared(files, args.vocab);
  const int64_t tokens = setup.train.store->tokens();
  setup.train.range = {0, tokens};
  if (!held_out.empty()) {
    setup.eval.store = load_shared(held_out, args.vocab);
    setup.eval.range = {0, setup.eval.store->tokens()};
  } else if (options_.val_path.empty() && options_.split > 0) {
    const auto kept = std::llround(static_cast<double>(tokens) * options_.split);
    setup.train.range.end = tokens - kept;
    setup.eval = {setup.train.store, {tokens - kept, tokens}};
  }
  return setup;
}

std::vector<SourceConfig> FileReader::named_sources() const {
  std::vector<SourceConfig> all = options_.sources;
  if (all.empty()) all.emplace_back().path = options_.path;
  if (!options_.val_path.empty()) all.emplace_back().path = options_.val_path;
  name_sources(all);
  return all;
}

std::vector<SourceConfig> FileReader::sources() const {
  std::vector<SourceConfig> all = named_sources();
  if (!options_.val_path.empty()) all.pop_back();
  return all;
}

std::vector<int64_t> FileReader::lanes_of(const DatasetArgs& args) const {
  std::vector<double> weights;
  for (const SourceConfig& c : sources()) weights.push_back(c.weight);
  return Mixture(weights, args.seed).counts(args.lanes);
}

std::vector<Misfit> FileReader::misfits(const DatasetArgs& args) const {
  std::vector<Misfit> all;
  if (options_.document_mask && !tokenizer().end()) {
    all.push_back({"data.document_mask",
                   "tells documents apart by the id that ends one, and there is none; set "
                   "data.end_token (or the tokenizer's `end`), or leave it false",
                   {"data.end_token", "data.tokenizer"}});
  }
  const std::vector<SourceConfig> configs = sources();
  const std::vector<int64_t> lanes = lanes_of(args);
  for (size_t i = 0; streams() && i < configs.size(); ++i) {
    if (lanes[i] > 0) continue;
    all.push_back({"data.sources",
                   fmt::format("with data.sampler = \"stream\" source {} gets none of the {} rows "
                               "of a batch: raise its weight or the batch",
                               configs[i].name, args.lanes),
                   {"data.sampler", "train.batch", "train.accumulate"}});
  }
  return all;
}

void FileReader::check_files() const {
  std::vector<std::string> read;
  for (const SourceConfig& s : named_sources()) {
    for (std::string& f : files(s.path)) read.push_back(std::move(f));
  }
  const bool validates = !options_.val_path.empty() || options_.split > 0 ||
                         (named_split() && std::any_of(read.begin(), read.end(), for_validation));
  std::set<std::filesystem::path> seen;
  for (const std::string& f : read) {
    std::error_code unknown;
    if (!validates || seen.insert(std::filesystem::weakly_canonical(f, unknown)).second) continue;
    throw DataError(fmt::format(
        "{}: is named twice, so that validation would hold what training has seen: name it once in "
        "data.path, data.sources and data.val_path",
        f));
  }
}

std::vector<OpenedSource> FileReader::open(const DatasetArgs& args) {
  const std::vector<SourceConfig> configs = sources();
  const std::vector<int64_t> lanes = lanes_of(args);
  check_files();
  std::vector<OpenedSource> result;
  for (size_t i = 0; i < configs.size(); ++i) {
    CorpusSource::Setup setup = split(configs[i], args);
    setup.lanes = streams() ? lanes[i] : 0;
    const std::string& name = configs[i].name;
    const int64_t windows = std::max<int64_t>(setup.lanes, 1);
    require_window(name, "training", setup.train.range.tokens(), windows, args.context,
                   "give more data or a smaller model.context");
    if (setup.eval.store) {
      require_window(name, "validation", setup.eval.range.tokens(), 1, args.context,
                     "give more data, a larger data.split or a smaller model.context");
    }
    result.push_back({name, configs[i].weight, std::make_unique<CorpusSource>(setup)});
  }
  if (!options_.val_path.empty()) {
    const std::string name = named_sources().back().name;
    auto source = open_eval(options_.val_path, args);
    require_window(name, "validation", source->eval_targets() + 1, 1, args.context,
                   "give more data or a smaller model.context");
    result.push_back({name, 0.0, std::move(source)});
  }
  return result;
}

std::unique_ptr<Source> FileReader::open_eval(const std::vector<std::string>& paths,
                                              const DatasetArgs& args) {
  CorpusSource::Setup setup;
  setup.context = args.context;
  setup.eval.store = load_shared(files(paths), args.vocab);
  const int64_t tokens = setup.eval.store->tokens();
  if (tokens < 2) {
    throw DataError(fmt::format("{}: {} tokens, but nothing can be predicted with fewer than 2",
                                paths.front(), tokens));
  }
  setup.eval.range = {0, tokens};
  return std::make_unique<CorpusSource>(setup);
}

}  // namespace keel
