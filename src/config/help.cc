// The help text of a config: every key with its default, range and meaning.
#include "config/print.h"
#include "config/text.h"
#include "config/walk.h"

namespace keel {
namespace {

class Help final : public KeyWalk {
 public:
  std::string text;

 private:
  void value(const std::string&, const Leaf&) override {}
  void empty_list(const std::string&) override {}

  void leaf(const Field& field, Leaf v) override {
    line(field.key, leaf_text(v));
    text += "    " + std::string(field.doc);
    const std::string range = field.range.text();
    if (!range.empty()) text += " (" + range + ")";
    text += '\n';
  }

  void choice(const Field& field, Choice& v) override {
    line(field.key, quote_text(v.kind()));
    text += "    " + std::string(field.doc) + "\n";
    for (const std::string& kind : v.kinds()) {
      const bool nothing = !v.registry().known(kind);
      text +=
          "    " + quote_text(kind) + ": " + (nothing ? "nothing" : v.registry().doc(kind)) + "\n";
    }
    const std::string outer = only_;
    for (const std::string& kind : v.kinds()) {
      only_ = "  [kind = " + quote_text(kind) + "]";
      if (kind == v.kind()) {
        v.options().fields(*this);
      } else {
        walk(*v.defaults(kind), *this);
      }
    }
    only_ = outer;
  }

  void tables(const Field& field, Tables& v) override {
    line(field.key, "[]");
    text += "    " + std::string(field.doc) + " (a list of tables)\n";
    const std::string outer = prefix_;
    prefix_ = join_key(outer, field.key) + "[i]";
    walk(*v.element(), *this);
    prefix_ = outer;
  }

  void line(std::string_view key, const std::string& value) {
    text += join_key(prefix_, key) + " = " + value + only_ + "\n";
  }

  std::string only_;  // the kind that the keys belong to
};

}  // namespace

std::string config_help(const Config& config) {
  Help help;
  walk(config, help);
  return help.text;
}

}  // namespace keel
