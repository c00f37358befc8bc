// JSON Schema of a config. A table with a `kind` is a oneOf: one closed object for each kind, in
// which the keys that all kinds share are repeated, since a closed object must know all its keys.
#include <algorithm>
#include <cmath>

#include "config/print.h"
#include "config/text.h"
#include "config/walk.h"

namespace keel {
namespace {

constexpr char kAnyStrings[] =
    R"({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}])";

std::string described(std::string_view doc) {
  return doc.empty() ? "" : ", \"description\": " + quote_text(doc);
}

// `, "minimum": 1` and so on.
std::string limits(const Range& r) {
  std::string s;
  if (r.has_min) s += (r.open_min ? ", \"exclusiveMinimum\": " : ", \"minimum\": ") + plain(r.min);
  if (r.has_max) s += (r.open_max ? ", \"exclusiveMaximum\": " : ", \"maximum\": ") + plain(r.max);
  for (size_t i = 0; i < r.values.size(); ++i) {
    s += (i == 0 ? ", \"enum\": [" : ", ") + quote_text(r.values[i]);
  }
  return r.values.empty() ? s : s + "]";
}

std::string start_of(const Field& f, const int64_t&) {
  return "{\"type\": \"integer\"" + limits(f.range);
}
std::string start_of(const Field&, const bool&) { return "{\"type\": \"boolean\""; }
std::string start_of(const Field& f, const double&) {
  return "{\"type\": \"number\"" + limits(f.range);
}
std::string start_of(const Field& f, const std::string&) {
  return "{\"type\": \"string\"" + limits(f.range);
}
std::string start_of(const Field& f, const std::vector<double>&) {
  const std::string n = std::to_string(f.range.count);
  return "{\"type\": \"array\", \"items\": {\"type\": \"number\"" + limits(f.range) + "}" +
         (f.range.count ? ", \"minItems\": " + n + ", \"maxItems\": " + n : "");
}
std::string start_of(const Field&, const std::vector<std::string>&) { return kAnyStrings; }

// JSON has no infinity, so a default that holds one is left out.
bool finite(const Leaf& v) {
  std::vector<double> numbers;
  if (const auto* const* x = std::get_if<double*>(&v)) numbers = {**x};
  if (const auto* const* x = std::get_if<std::vector<double>*>(&v)) numbers = **x;
  return std::all_of(numbers.begin(), numbers.end(), [](double x) { return std::isfinite(x); });
}

class Schema final : public Fields {
 public:
  // The schema of a struct, or of its shared part and each kind.
  static std::string of(const Config& config, std::string_view doc, const std::string& extra = "") {
    Schema s;
    s.add(extra);
    walk(config, s);
    const std::string start = "{\"type\": \"object\"" + described(doc);
    if (!s.choice_) return start + closed(s.properties_) + "}";
    std::string kinds;
    for (const std::string& kind : s.choice_->kinds()) {
      const bool chosen = kind == s.choice_->kind();
      Schema own;
      own.add(s.properties_);
      own.add("\"kind\": {\"const\": " + quote_text(kind) + described(s.kind_doc_) + "}");
      chosen ? s.choice_->options().fields(own) : walk(*s.choice_->defaults(kind), own);
      kinds += (kinds.empty() ? "{" : ", {") + closed(own.properties_).substr(2) +
               (chosen ? "}" : ", \"required\": [\"kind\"]}");
    }
    return start + ", \"oneOf\": [" + kinds + "]}";
  }

 private:
  static std::string closed(const std::string& properties) {
    return ", \"properties\": {" + properties + "}, \"additionalProperties\": false";
  }
  void add(const std::string& property) {
    if (!properties_.empty() && !property.empty()) properties_ += ", ";
    properties_ += property;
  }
  void add(std::string_view key, const std::string& schema) {
    add(quote_text(key) + ": " + schema);
  }

  void leaf(const Field& field, Leaf v) override {
    std::string s = std::visit([&](const auto* m) { return start_of(field, *m); }, v);
    s += described(field.doc);
    if (finite(v)) s += ", \"default\": " + leaf_text(v);
    add(field.key, s + "}");
  }
  void section(const Field& field, Config& v) override { add(field.key, of(v, field.doc)); }
  void choice(const Field& field, Choice& v) override {
    choice_ = &v;
    kind_doc_ = field.doc;
  }
  void tables(const Field& field, Tables& v) override {
    add(field.key, "{\"type\": \"array\"" + described(field.doc) +
                       ", \"items\": " + of(*v.element(), "") + "}");
  }

  std::string properties_;
  Choice* choice_ = nullptr;
  std::string kind_doc_;
};

}  // namespace

std::string to_json_schema(const Config& config, const std::string& title) {
  constexpr char kFileKeys[] =
      R"("base": {"type": "string", "description": "a config file whose values this one overrides"}, )"
      R"("set": {"type": "object", "description": "values over those of the file, by dotted key"})";
  return "{\"$schema\": \"https://json-schema.org/draft/2020-12/schema\", \"title\": " +
         quote_text(title) + ", " + Schema::of(config, "", kFileKeys).substr(1) + "\n";
}

}  // namespace keel
