#include "config/fields.h"

#include <cmath>

#include "config/registry.h"
#include "config/text.h"

namespace keel {
namespace {

// A section that holds nothing but a choice.
struct ChoiceSection final : Config {
  ChoiceSection(Choice& c, std::string_view d) : choice(c), doc(d) {}
  void fields(Fields& f) override { f.kind(choice, doc); }
  Choice& choice;
  std::string_view doc;
};

}  // namespace

void Fields::operator()(std::string_view key, Choice& v, std::string_view doc) {
  ChoiceSection s(v, doc);
  section({key, doc}, s);
}

Range at_least(double x) {
  Range r;
  r.min = x;
  r.has_min = true;
  return r;
}

Range above(double x) {
  Range r = at_least(x);
  r.open_min = true;
  return r;
}

Range between(double low, double high) { return at_least(low).at_most(high); }

Range below(double x) { return Range{}.below(x); }

Range one_of(std::vector<std::string> values) {
  Range r;
  r.values = std::move(values);
  return r;
}

Range Range::below(double x) const {
  Range r = at_most(x);
  r.open_max = true;
  return r;
}

Range Range::at_most(double x) const {
  Range r = *this;
  r.max = x;
  r.has_max = true;
  r.open_max = false;
  return r;
}

Range Range::of(size_t length) const {
  Range r = *this;
  r.count = length;
  return r;
}

bool Range::allows(double x) const {
  if (!std::isfinite(x)) return false;
  if (has_min && (open_min ? x <= min : x < min)) return false;
  return !(has_max && (open_max ? x >= max : x > max));
}

std::string Range::text() const {
  std::string s;
  if (!values.empty()) {
    s = "one of ";
    for (const std::string& v : values) s += (&v == &values[0] ? "" : ", ") + quote_text(v);
    return s;
  }
  if (has_min && has_max && !open_min && !open_max) {
    return "between " + plain(min) + " and " + plain(max);
  }
  if (has_min) s = (open_min ? "above " : "at least ") + plain(min);
  if (has_max) {
    if (has_min) s += " and ";
    s += (open_max ? "below " : "at most ") + plain(max);
  }
  return s;
}

}  // namespace keel
