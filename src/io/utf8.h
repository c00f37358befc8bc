// UTF-8 as RFC 3629 defines it, for text that may be anything.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace keel {

// U+FFFD, what stands for bytes that are no character.
inline constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// Bytes of the well-formed character that `s` (not empty) begins with, or 0.
size_t utf8_length(std::string_view s);
// `text` with every byte that is not part of a well-formed character replaced by U+FFFD.
std::string valid_utf8(std::string_view text);
// valid_utf8 of at most `bytes`, cut between characters, and then an ellipsis.
std::string shortened(std::string_view text, size_t bytes);

}  // namespace keel
