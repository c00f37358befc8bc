#include "io/tfevents_reader.h"

#include <fmt/format.h>

#include <cstring>
#include <optional>

#include "core/error.h"
#include "io/tfevents.h"

namespace keel {
namespace {

// Thrown inside a record, whose place the caller knows.
struct Broken {};

template <class T>
T take(std::string_view& s) {
  if (s.size() < sizeof(T)) throw Broken();
  T v;
  std::memcpy(&v, s.data(), sizeof v);
  s.remove_prefix(sizeof v);
  return v;
}

uint64_t take_varint(std::string_view& s) {
  uint64_t v = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    const auto b = take<unsigned char>(s);
    v |= static_cast<uint64_t>(b & 0x7f) << shift;
    if (b < 0x80) return v;
  }
  throw Broken();
}

std::string_view take_bytes(std::string_view& s) {
  const uint64_t n = take_varint(s);
  if (n > s.size()) throw Broken();
  const std::string_view out = s.substr(0, n);
  s.remove_prefix(n);
  return out;
}

// One field of a message of protocol buffers.
struct Field {
  uint64_t number = 0, integer = 0;  // the value of a varint or of fixed bytes
  std::string_view bytes;
  bool is_bytes = false;
};

Field take_field(std::string_view& message) {
  const uint64_t key = take_varint(message);
  Field f;
  f.number = key >> 3;
  switch (key & 7) {
    case 0:
      f.integer = take_varint(message);
      return f;
    case 1:
      f.integer = take<uint64_t>(message);
      return f;
    case 2:
      f.bytes = take_bytes(message);
      f.is_bytes = true;
      return f;
    case 5:
      f.integer = take<uint32_t>(message);
      return f;
    default:
      throw Broken();
  }
}

double as_float(uint64_t bits) {
  const auto low = static_cast<uint32_t>(bits);
  float v;
  std::memcpy(&v, &low, sizeof v);
  return v;
}

double as_double(uint64_t bits) {
  double v;
  std::memcpy(&v, &bits, sizeof v);
  return v;
}

// A tensor of one float (dtype 1) or double (2): its bytes in field 4, or packed in 5 or 6.
std::optional<double> number_in_tensor(std::string_view tensor) {
  constexpr uint64_t kFloat = 1, kDouble = 2;
  uint64_t dtype = 0;
  std::string_view content, floats, doubles;
  std::optional<double> single;
  while (!tensor.empty()) {
    const Field f = take_field(tensor);
    if (f.number == 1) dtype = f.integer;
    if (f.number == 4) content = f.bytes;
    if (f.number == 5 && f.is_bytes) floats = f.bytes;
    if (f.number == 6 && f.is_bytes) doubles = f.bytes;
    if (f.number == 5 && !f.is_bytes) single = as_float(f.integer);
    if (f.number == 6 && !f.is_bytes) single = as_double(f.integer);
  }
  if (dtype == kFloat) {
    std::string_view bytes = content.empty() ? floats : content;
    if (bytes.size() == sizeof(float)) return take<float>(bytes);
    return single;
  }
  if (dtype == kDouble) {
    std::string_view bytes = content.empty() ? doubles : content;
    if (bytes.size() == sizeof(double)) return take<double>(bytes);
    return single;
  }
  return std::nullopt;
}

void add_value(std::string_view value, int64_t step, std::vector<EventScalar>& out) {
  EventScalar scalar{step, {}, 0};
  std::optional<double> number;
  while (!value.empty()) {
    const Field f = take_field(value);
    if (f.number == 1) scalar.tag = f.bytes;
    if (f.number == 2 && !f.is_bytes) number = as_float(f.integer);
    if (f.number == 8 && f.is_bytes && !number) number = number_in_tensor(f.bytes);
  }
  if (!number) return;
  scalar.value = *number;
  out.push_back(std::move(scalar));
}

void add_event(std::string_view event, std::vector<EventScalar>& out) {
  int64_t step = 0;
  std::string_view summary;
  while (!event.empty()) {
    const Field f = take_field(event);
    if (f.number == 2 && !f.is_bytes) step = static_cast<int64_t>(f.integer);
    if (f.number == 5) summary = f.bytes;
  }
  while (!summary.empty()) {
    const Field f = take_field(summary);
    if (f.number == 1 && f.is_bytes) add_value(f.bytes, step, out);
  }
}

}  // namespace

std::vector<EventScalar> read_event_scalars(std::string_view bytes, const std::string& name) {
  constexpr size_t kFrame = 16;  // length, its checksum, and that of the event
  std::vector<EventScalar> out;
  size_t at = 0;
  while (bytes.size() - at >= kFrame) {
    const std::string_view rest = bytes.substr(at);
    uint64_t length;
    std::memcpy(&length, rest.data(), sizeof length);
    if (!sound_event_length(rest.substr(0, 12))) break;
    if (length > rest.size() - kFrame) return out;  // cut off
    const std::string_view event = rest.substr(12, length);
    if (frame_event_record(event) != rest.substr(0, kFrame + length)) break;
    try {
      add_event(event, out);
    } catch (const Broken&) {
      break;
    }
    at += kFrame + length;
  }
  if (bytes.size() - at < kFrame) return out;
  throw DataError(fmt::format("{}: byte {}: not a sound record of an event file", name, at));
}

}  // namespace keel
