// Small text helpers that config messages and printers share.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace keel {

// "QK-norm" -> "qk_norm".
std::string folded(std::string_view s);
// The candidate nearest to `word`, both folded (insert, delete, replace, swap of neighbours), or ""
// if none is near enough to be a slip of the fingers.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);
// `, did you mean "dim"?` or "".
std::string suggestion(std::string_view word, const std::vector<std::string>& candidates);
// "a" -> "\"a\"" with the escapes that TOML basic strings and JSON share.
std::string quote_text(std::string_view s);
// The shortest text that reads back to the same bits: 1.0, 1e-08, inf, nan.
std::string shortest(double x);
// The same without ".0" at the end: 1, 0.5.
std::string plain(double x);
// "model" + "dim" -> "model.dim"; no dot if either is empty.
std::string join_key(std::string_view prefix, std::string_view key);

}  // namespace keel
