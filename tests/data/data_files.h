// Files and configs that the tests of data share.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "data/dataset.h"
#include "data/file_reader.h"
#include "io/fs.h"
#include "io/temp_dir.h"

namespace keel {

inline std::string write_to(const TempDir& dir, const std::string& name, std::string_view bytes) {
  real_fs().write_file(dir / name, bytes);
  return dir / name;
}

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

// Text in which every stretch of 8 bytes occurs once: 8-digit numbers.
inline std::string numbered_text(int64_t bytes) {
  std::string text;
  for (int64_t i = 0; static_cast<int64_t>(text.size()) < bytes; ++i) {
    text += std::to_string(10000000 + i);
  }
  text.resize(static_cast<size_t>(bytes));
  return text;
}

inline DataConfig config_of(const std::string& kind) {
  DataConfig config;
  config.reader.select(kind);
  return config;
}

inline DataConfig files_config(const std::string& kind, std::vector<std::string> path) {
  DataConfig config = config_of(kind);
  config.reader.options_as<FileOptions>().path = std::move(path);
  return config;
}

inline FileOptions& file_options(DataConfig& config) {
  return config.reader.options_as<FileOptions>();
}

inline DatasetArgs args_of(int64_t context, int64_t vocab = 0, uint64_t seed = 0,
                           int64_t lanes = 1) {
  DatasetArgs args;
  args.context = context;
  args.vocab = vocab;
  args.seed = seed;
  args.lanes = lanes;
  return args;
}

// Row r as the tokens of its window: the inputs and the last target.
inline std::vector<int32_t> window_of(const Batch& b, int64_t r) {
  const auto begin = b.inputs.begin() + r * b.length;
  std::vector<int32_t> tokens(begin, begin + b.length);
  tokens.push_back(b.targets[static_cast<size_t>((r + 1) * b.length - 1)]);
  return tokens;
}

inline std::string text_of(const std::vector<int32_t>& tokens) {
  std::string text;
  for (const int32_t t : tokens) text += t == 256 ? '$' : static_cast<char>(t);
  return text;
}

inline bool same(const Batch& a, const Batch& b) {
  return a.rows == b.rows && a.length == b.length && a.inputs == b.inputs &&
         a.targets == b.targets && a.weights == b.weights && a.segments == b.segments &&
         a.source == b.source;
}

}  // namespace keel
