#include "io/csv.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/error.h"

namespace keel {
namespace {

class Csv {
 public:
  Csv(std::string_view text, const std::string& name, bool whole)
      : text_(text), name_(name), whole_(whole) {}

  // False at the end.
  bool next(std::vector<std::string>& values) {
    values.clear();
    const size_t begin = at_;
    std::string value;
    ++line_;
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == '"' && value.empty()) {
        read_quoted(value);
      } else if (c == ',') {
        values.push_back(std::exchange(value, {}));
      } else if (c == '\n') {
        add_last(value, values);
        return true;
      } else {
        value += c;
      }
    }
    if (at_ == begin || !whole_) return false;
    add_last(value, values);
    return true;
  }
  [[noreturn]] void fail(const std::string& text) const {
    throw DataError(fmt::format("{}:{}: {}", name_, line_, text));
  }

 private:
  static void add_last(std::string& value, std::vector<std::string>& values) {
    if (value.ends_with('\r')) value.pop_back();
    values.push_back(std::move(value));
  }
  void read_quoted(std::string& value) {
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c != '"') {
        value += c;
      } else if (at_ < text_.size() && text_[at_] == '"') {
        value += text_[at_++];
      } else {
        return;
      }
    }
  }

  std::string_view text_;
  const std::string& name_;
  bool whole_;
  size_t at_ = 0;
  int64_t line_ = 0;
};

}  // namespace

CsvTable parse_csv(std::string_view text, const std::string& name, bool whole) {
  Csv csv(text, name, whole);
  CsvTable table;
  if (text.size() > kCsvMaxBytes) csv.fail(fmt::format("larger than {} bytes", kCsvMaxBytes));
  if (!csv.next(table.names)) throw DataError(name + ": has no line of names");
  std::vector<std::string> sorted = table.names;
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end()) csv.fail(fmt::format("the name \"{}\" is there twice", *twice));
  std::vector<std::string> values;
  while (csv.next(values)) {
    if (values.size() == 1 && values[0].empty()) continue;
    if (values.size() != table.names.size()) {
      csv.fail(fmt::format("{} values, and {} names", values.size(), table.names.size()));
    }
    table.rows.push_back(std::move(values));
  }
  return table;
}

}  // namespace keel
