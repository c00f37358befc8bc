#include "data/dataset.h"

#include <fmt/core.h>

#include <algorithm>

#include "core/error.h"
#include "core/named_memory.h"
#include "data/file_reader.h"
#include "data/readers.h"
#include "io/hash.h"

namespace keel {
namespace {

void refuse(const Misfit& m) { throw ConfigError(m.key + ": " + m.text); }

void resize(Batch& out, int64_t rows, int64_t length, bool segments) {
  const auto n = static_cast<size_t>(rows * length);
  out.rows = rows;
  out.length = length;
  resize_named(out.inputs, n, "the inputs of a batch");
  resize_named(out.targets, n, "the targets of a batch");
  resize_named(out.weights, n, "the weights of a batch");
  resize_named(out.segments, segments ? n : 0, "the segments of a batch");
  out.source.resize(static_cast<size_t>(rows));
}

WindowOut row_of(Batch& batch, int64_t row) {
  const int64_t at = row * batch.length;
  return {batch.inputs.data() + at, batch.targets.data() + at, batch.weights.data() + at,
          batch.segments.empty() ? nullptr : batch.segments.data() + at};
}

}  // namespace

Dataset::Dataset(std::unique_ptr<Reader> reader, const DatasetArgs& args)
    : args_(args), reader_(std::move(reader)) {}

std::optional<Misfit> vocab_misfit(const Reader& reader, const std::string& kind, int64_t vocab) {
  const std::optional<int64_t> known = reader.vocab();
  if (!known || vocab == 0 || vocab >= *known) return std::nullopt;
  return Misfit{"model.vocab",
                fmt::format("is {}, but data.kind = \"{}\" uses {} ids", vocab, kind, *known),
                {"data"}};
}

std::unique_ptr<Dataset> Dataset::open(const DataConfig& config, const DatasetArgs& args) {
  std::unique_ptr<Reader> reader = readers().make(config.reader);
  reader->check();
  for (const Misfit& m : config.misfits(args)) refuse(m);
  std::vector<OpenedSource> sources = reader->open(args);
  std::unique_ptr<Dataset> set(new Dataset(std::move(reader), args));
  set->take(std::move(sources), config.reader.kind());
  return set;
}

std::unique_ptr<Dataset> Dataset::open_eval(const std::string& path, const Tokenizer& tokenizer,
                                            const DataConfig& run, const DatasetArgs& args) {
  std::unique_ptr<FileReader> reader = reader_for(path, tokenizer, run);
  if (const auto m = vocab_misfit(*reader, reader->kind(), args.vocab)) refuse(*m);
  std::vector<OpenedSource> sources;
  sources.push_back({path, 0.0, reader->open_eval({path}, args)});
  std::unique_ptr<Dataset> set(new Dataset(std::move(reader), args));
  set->take(std::move(sources), "eval");
  return set;
}

void Dataset::take(std::vector<OpenedSource> opened, const std::string& kind) {
  std::vector<double> weights;
  std::string identity = kind + " " + reader_->tokenizer().fingerprint() + "\n";
  eval_first_.push_back(0);
  for (OpenedSource& o : opened) {
    weights.push_back(o.weight);
    names_.push_back(o.name);
    eval_tokens_ += o.source->eval_targets();
    eval_first_.push_back(eval_first_.back() + o.source->eval_windows());
    vocab_ = std::max(vocab_, o.source->vocab());
    identity += fmt::format("{} {} {}\n", o.name, o.weight, o.source->fingerprint());
    sources_.push_back(std::move(o.source));
  }
  mixture_ = Mixture(weights, args_.seed);
  if (reader_->streams()) lanes_ = mixture_.counts(args_.lanes);
  if (const auto known = reader_->vocab()) vocab_ = *known;
  fingerprint_ = xxh3_hex(identity);
}

std::vector<DataFile> Dataset::files() const {
  std::vector<DataFile> out;
  for (size_t i = 0; i < sources_.size(); ++i) {
    for (DataFile& f : sources_[i]->files()) {
      f.source = names_[i];
      out.push_back(std::move(f));
    }
  }
  return out;
}

const Tokenizer& Dataset::tokenizer() const { return reader_->tokenizer(); }

std::pair<size_t, int64_t> Dataset::source_of(int64_t sequence) const {
  if (lanes_.empty()) return mixture_.at(sequence);
  const auto [source, lane] = mixture_.at(sequence % args_.lanes);
  return {source, sequence / args_.lanes * lanes_[source] + lane};
}

std::pair<size_t, int64_t> Dataset::eval_source_of(int64_t window) const {
  const auto next = std::upper_bound(eval_first_.begin(), eval_first_.end() - 1, window);
  const auto source = static_cast<size_t>(next - eval_first_.begin() - 1);
  return {source, window - eval_first_[source]};
}

void Dataset::train_batch(int64_t first, int64_t rows, Batch& out) const {
  resize(out, rows, args_.context, reader_->document_mask());
  for (int64_t r = 0; r < rows; ++r) {
    const auto [source, n] = source_of(first + r);
    sources_[source]->train_window(n, row_of(out, r));
    out.source[static_cast<size_t>(r)] = static_cast<int32_t>(source);
  }
}

bool Dataset::starts_lane(int64_t sequence) const {
  const auto [source, n] = source_of(sequence);
  return sources_[source]->starts_lane(n);
}

int64_t Dataset::train_tokens() const {
  int64_t sum = 0;
  for (const auto& s : sources_) sum += s->train_targets();
  return sum;
}

void Dataset::eval_batch(int64_t first_window, int64_t rows, Batch& out) const {
  resize(out, rows, args_.context, reader_->document_mask());
  for (int64_t r = 0; r < rows; ++r) {
    const WindowOut row = row_of(out, r);
    const int64_t window = first_window + r;
    if (window >= eval_windows()) {
      std::fill_n(row.inputs, args_.context, 0);
      std::fill_n(row.targets, args_.context, 0);
      std::fill_n(row.weights, args_.context, 0.0f);
      if (row.segments) std::fill_n(row.segments, args_.context, 0);
      out.source[static_cast<size_t>(r)] = 0;
      continue;
    }
    const auto [source, n] = eval_source_of(window);
    sources_[source]->eval_window(n, row);
    out.source[static_cast<size_t>(r)] = static_cast<int32_t>(source);
  }
}

int64_t Dataset::eval_bytes(const Tokenizer& tokenizer) const {
  if (!tokenizer.has_text()) return 0;
  int64_t sum = 0;
  for (const auto& s : sources_) sum += s->eval_bytes(tokenizer);
  return sum;
}

std::optional<double> Dataset::entropy_floor() const {
  return reader_->entropy_floor(args_.context);
}

Place Dataset::train_place(int64_t sequence) const {
  const auto [source, n] = source_of(sequence);
  Place place = sources_[source]->train_place(n);
  place.source = names_[source];
  return place;
}

Place Dataset::eval_place(int64_t window) const {
  const auto [source, n] = eval_source_of(window);
  Place place = sources_[source]->eval_place(n);
  place.source = names_[source];
  return place;
}

}  // namespace keel
