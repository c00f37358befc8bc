#include "fuzz.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <utility>

#include "core/error.h"

namespace keel::fuzz {
namespace {

// Values at which sizes, offsets and kinds go wrong.
Json odd_value(Random& random) {
  const Json values[] = {0,
                         1,
                         -1,
                         8,
                         INT64_MAX,
                         INT64_MIN,
                         UINT64_MAX,
                         int64_t{1} << 32,
                         int64_t{1} << 62,
                         0.5,
                         1e300,
                         "",
                         "F32",
                         "F4",
                         "BF16",
                         "I64",
                         "a/b",
                         "__metadata__",
                         true,
                         nullptr,
                         Json::array(),
                         Json::object(),
                         Json::array().push(0).push(4)};
  return values[below(random, std::size(values))];
}

Json nested(Json v, size_t depth) {
  while (depth-- > 0) v = Json::array().push(std::move(v));
  return v;
}

Json changed_value(const Json& v, Random& random) {
  const size_t how = below(random, 8);
  if (v.is_integer() && how < 5) {
    const uint64_t n = v.as_double() < 0 ? static_cast<uint64_t>(v.as_int()) : v.as_uint();
    const uint64_t steps[] = {n + 1, n - 1, n * 2, n + random() % 64, ~n};
    return steps[how];
  }
  if (v.is_string() && how < 3) return mutated_bytes(v.as_string());
  if (how == 6) return nested(v, 1 + below(random, 70));
  return odd_value(random);
}

size_t count(const Json& v) {
  size_t n = 1;
  if (v.is_array()) {
    for (const Json& item : v.as_array()) n += count(item);
  } else if (v.is_object()) {
    for (const JsonMember& m : v.as_object()) n += count(m.value);
  }
  return n;
}

// Copies a tree and changes what stands at place `target` of the walk.
class Editor {
 public:
  Editor(size_t target, Random& random) : target_(target), random_(random) {}

  Json copy(const Json& v) {
    if (at_++ == target_) return edited(v);
    if (v.is_array()) return copy_array(v.as_array());
    if (v.is_object()) return copy_object(v.as_object());
    return v;
  }

 private:
  Json copy_array(const Json::Array& items) {
    Json out = Json::array();
    for (const Json& item : items) out.push(copy(item));
    return out;
  }
  Json copy_object(const Json::Object& members) {
    Json out = Json::object();
    for (const JsonMember& m : members) out.append(m.key, copy(m.value));
    return out;
  }
  Json edited(const Json& v) {
    if (v.is_array() && !v.as_array().empty() && below(random_, 2) == 0) {
      return edited_list(v.as_array());
    }
    if (v.is_object() && !v.as_object().empty() && below(random_, 4) != 0) {
      return edited_list(v.as_object());
    }
    return changed_value(v, random_);
  }
  // One item removed, repeated or moved; of an object also a key changed.
  template <class List>
  Json edited_list(List list) {
    const size_t i = below(random_, list.size());
    switch (below(random_, 4)) {
      case 0:
        list.erase(list.begin() + static_cast<std::ptrdiff_t>(i));
        break;
      case 1:
        list.push_back(list[i]);
        break;
      case 2:
        std::swap(list[i], list[below(random_, list.size())]);
        break;
      default:
        change(list[i]);
    }
    return list;
  }
  void change(Json& item) { item = changed_value(item, random_); }
  void change(JsonMember& member) { member.key = mutated_bytes(member.key); }

  size_t target_, at_ = 0;
  Random& random_;
};

}  // namespace

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

std::string mutated_bytes(std::string_view text) {
  std::string out(text);
  out.resize(text.size() + 4096);
  const size_t n =
      LLVMFuzzerMutate(reinterpret_cast<uint8_t*>(out.data()), text.size(), out.size());
  out.resize(n);
  return out;
}

std::string mutated_json(std::string_view text, Random& random) {
  try {
    const Json tree = parse_json(text, "seed");
    return Editor(below(random, count(tree)), random).copy(tree).dump();
  } catch (const DataError&) {
    return std::string(text);
  }
}

size_t give(std::string_view text, uint8_t* data, size_t max_size) {
  const size_t n = std::min(text.size(), max_size);
  std::memcpy(data, text.data(), n);
  return n;
}

}  // namespace keel::fuzz
