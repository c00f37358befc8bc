// Text that must be encoded is encoded once: its ids lie in a file of the user's cache folder,
// named after the content and the tokenizer, and are mapped from there. Writing streams, so memory
// does not grow with the text.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "data/token_store.h"
#include "data/tokenizer.h"

namespace keel {

using Emit = std::function<void(std::string_view document)>;
// Calls emit for each document in turn; may throw DataError.
using Documents = std::function<void(const Emit& emit)>;

// $KEEL_CACHE, else $XDG_CACHE_HOME/evenkeel, else ~/.cache/evenkeel.
std::string cache_folder();

// The ids of all documents, an end token after each. `name` stands for them in messages, `content`
// is the hash of what `documents` will give. Uses the cached file if there is a sound one, else
// makes it under a temporary name and renames it. Throws IoError when it cannot be written.
TokenPiece cached_tokens(const std::string& name, const std::string& content,
                         const Tokenizer& tokenizer, const Documents& documents);

}  // namespace keel
