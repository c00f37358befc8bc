// Bytes of files of token ids, as other programs write them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data_files.h"

namespace keel {

template <class T>
std::string as(const std::vector<int32_t>& ids) {
  return bytes_of(std::vector<T>(ids.begin(), ids.end()));
}

// The header of llm.c.
inline std::string llmc(int32_t magic, int32_t version, int32_t tokens) {
  std::vector<int32_t> header(256);
  header[0] = magic;
  header[1] = version;
  header[2] = tokens;
  return bytes_of(header);
}

// What numpy.save writes; `extra` spaces more than its alignment asks for.
inline std::string npy(const std::string& descr, const std::string& shape, const std::string& body,
                       int version = 1, size_t extra = 0) {
  std::string header =
      "{'descr': '" + descr + "', 'fortran_order': False, 'shape': " + shape + ", }";
  const size_t before = version == 1 ? 10 : 12;
  while ((before + header.size() + 1) % 64 != 0) header += ' ';
  header += std::string(extra, ' ') + "\n";
  const auto length = static_cast<uint32_t>(header.size());
  std::string file = "\x93NUMPY";
  file += static_cast<char>(version);
  file += '\0';
  file += std::string(reinterpret_cast<const char*>(&length), before - 8);
  return file + header + body;
}

}  // namespace keel
