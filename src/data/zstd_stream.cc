#include "data/zstd_stream.h"

#include <fmt/core.h>
#include <zstd.h>

#include <new>

#include "core/error.h"

namespace keel {

struct ZstdStream::State {
  std::string name;
  ZSTD_DCtx* context = ZSTD_createDCtx();
  ZSTD_inBuffer in{};
  std::vector<char> out = std::vector<char>(ZSTD_DStreamOutSize());
  size_t wanted = 1;  // 0: between two frames

  ~State() { ZSTD_freeDCtx(context); }
};

ZstdStream::ZstdStream(std::string_view compressed, std::string name)
    : state_(std::make_unique<State>()) {
  if (state_->context == nullptr) throw std::bad_alloc();
  state_->name = std::move(name);
  state_->in = {compressed.data(), compressed.size(), 0};
}

ZstdStream::~ZstdStream() = default;

std::string_view ZstdStream::next() {
  State& s = *state_;
  for (;;) {
    if (s.in.pos == s.in.size && s.wanted == 0) return {};
    const size_t before = s.in.pos;
    ZSTD_outBuffer out{s.out.data(), s.out.size(), 0};
    s.wanted = ZSTD_decompressStream(s.context, &out, &s.in);
    if (ZSTD_isError(s.wanted)) {
      throw DataError(
          fmt::format("{}: not sound zstd data: {}", s.name, ZSTD_getErrorName(s.wanted)));
    }
    if (out.pos > 0) return {s.out.data(), out.pos};
    if (s.in.pos == before && s.wanted != 0) {
      throw DataError(
          fmt::format("{}: cut off: its {} bytes end within compressed data", s.name, s.in.size));
    }
  }
}

std::string zstd_version() { return ZSTD_versionString(); }

}  // namespace keel
