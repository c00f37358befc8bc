// Any text is a manifest, by which any bytes can be checked, or a DataError. A manifest that is not
// sealed, or whose seal is broken, is tried with a right one too: a change would else get no
// further than the seal.
#include <algorithm>

#include "core/error.h"
#include "fuzz.h"
#include "io/hash.h"
#include "train/checkpoint_manifest.h"

using namespace keel;

namespace {

constexpr std::string_view kKey = "\"xxh3_128\":\"";

// Everything before the seal, which ends with a comma; without a seal, the whole object.
std::string body_of(std::string_view text) {
  const size_t tail = kKey.size() + 32 + 3;
  if (text.size() >= tail && text.substr(text.size() - tail, kKey.size()) == kKey) {
    return std::string(text.substr(0, text.size() - tail));
  }
  std::string body(text);
  if (!body.empty() && body.back() == '\n') body.pop_back();
  if (!body.empty() && body.back() == '}') body.back() = ',';
  return body;
}

std::string sealed(const std::string& body) {
  return body + std::string(kKey) + xxh3_hex(body) + "\"}\n";
}

void check_table(const ManifestFile& file) {
  uint64_t at = file.tensors.empty() ? 0 : file.tensors.front().begin;
  for (const TensorEntry& t : file.tensors) {
    fuzz::require(t.begin == at && t.bytes <= file.bytes && t.begin <= file.bytes - t.bytes,
                  "tensors lie in the file");
    at = t.end();
  }
  fuzz::require(file.tensors.empty() || at == file.bytes, "the last tensor ends the file");
  fuzz::require(file.crcs.size() == file.tensors.size(), "a checksum, or none, for each tensor");
}

// Bytes that come in pieces give the same verdict as at once.
void check_bytes(const ManifestFile& file, std::string_view bytes) {
  FileCheck whole(file), pieces(file);
  whole.take(bytes);
  for (size_t at = 0; at < bytes.size(); at += 7) pieces.take(bytes.substr(at, 7));
  const auto a = whole.result("f"), b = pieces.result("f");
  fuzz::require(a.has_value() == b.has_value(), "pieces and the whole agree");
  fuzz::require(!a || (a->text == b->text && a->tensor == b->tensor), "on the text, too");
}

void try_manifest(std::string_view text) {
  try {
    const Manifest m = parse_manifest(text, "in");
    fuzz::require(m.step >= 0, "steps are not negative");
    for (const ManifestFile& file : m.files) {
      check_table(file);
      check_bytes(file, text);
      if (file.bytes < text.size()) check_bytes(file, text.substr(0, file.bytes));
    }
  } catch (const DataError& e) {
    fuzz::require(std::string_view(e.what()).starts_with("in: "), "an error names the file");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try_manifest(text);
  try_manifest(sealed(body_of(text)));
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned seed) {
  fuzz::Random random(seed);
  const size_t how = fuzz::below(random, 8);
  if (how == 0) return LLVMFuzzerMutate(data, size, max_size);
  std::string body = body_of({reinterpret_cast<const char*>(data), size});
  if (how < 3) return fuzz::give(fuzz::mutated_bytes(body), data, max_size);
  if (!body.empty()) body.back() = '}';
  return fuzz::give(fuzz::mutated_json(body, random), data, max_size);
}
