// Decompresses zstd bytes piece by piece. The one user of zstd.h is its .cc file.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace keel {

class ZstdStream {
 public:
  // `name` stands for the bytes in messages; they must outlive the stream.
  ZstdStream(std::string_view compressed, std::string name);
  ~ZstdStream();
  ZstdStream(const ZstdStream&) = delete;
  ZstdStream& operator=(const ZstdStream&) = delete;
  // The next piece, valid until the next call; empty at the end. Throws DataError: not zstd, a
  // checksum that does not fit, bytes that end within a frame.
  std::string_view next();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Version of the library in use, as "1.5.4".
std::string zstd_version();

}  // namespace keel
