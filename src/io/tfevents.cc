#include "io/tfevents.h"

#include <fmt/format.h>

#include <bit>

#include "core/error.h"
#include "io/hash.h"

namespace keel {
namespace {

constexpr size_t kFlushBytes = 65536;
constexpr double kFlushSeconds = 2;

template <class T>
void append_bytes(std::string& out, T v) {
  out.append(reinterpret_cast<const char*>(&v), sizeof v);
}

// Protocol buffer fields: a key of number and wire type, then the value.
enum class Wire { kVarint = 0, kFixed64 = 1, kLength = 2, kFixed32 = 5 };

void append_varint(std::string& out, uint64_t v) {
  for (; v >= 0x80; v >>= 7) out += static_cast<char>((v & 0x7f) | 0x80);
  out += static_cast<char>(v);
}

void append_key(std::string& out, int field, Wire wire) {
  append_varint(out, static_cast<uint64_t>(field) << 3 | static_cast<uint64_t>(wire));
}

std::string varint_field(int field, uint64_t v) {
  std::string out;
  append_key(out, field, Wire::kVarint);
  append_varint(out, v);
  return out;
}

std::string double_field(int field, double v) {
  std::string out;
  append_key(out, field, Wire::kFixed64);
  append_bytes(out, std::bit_cast<uint64_t>(v));
  return out;
}

std::string float_field(int field, float v) {
  std::string out;
  append_key(out, field, Wire::kFixed32);
  append_bytes(out, std::bit_cast<uint32_t>(v));
  return out;
}

std::string bytes_field(int field, std::string_view v) {
  std::string out;
  append_key(out, field, Wire::kLength);
  append_varint(out, v.size());
  return out.append(v);
}

std::string event_start(double wall_time, int64_t step) {
  return double_field(1, wall_time) + varint_field(2, static_cast<uint64_t>(step));
}

// SummaryMetadata {plugin_data {plugin_name}, data_class}: 1 is scalar, 2 tensor.
std::string summary_metadata(std::string_view plugin, uint64_t data_class) {
  return bytes_field(1, bytes_field(1, plugin)) + varint_field(4, data_class);
}

uint32_t masked_crc(std::string_view data) {
  const uint32_t crc = crc32c(data.data(), data.size());
  return std::rotr(crc, 15) + 0xa282ead8u;
}

}  // namespace

std::string frame_event_record(std::string_view event) {
  std::string out;
  append_bytes(out, static_cast<uint64_t>(event.size()));
  append_bytes(out, masked_crc(out));
  out += event;
  append_bytes(out, masked_crc(event));
  return out;
}

bool sound_event_length(std::string_view bytes) {
  std::string checksum;
  append_bytes(checksum, masked_crc(bytes.substr(0, 8)));
  return bytes.substr(8) == checksum;
}

EventWriter::EventWriter(Fs& fs, const std::string& folder, double wall_time,
                         const std::string& host)
    : last_flush_(wall_time) {
  const std::string first =
      join_path(folder, fmt::format("events.out.tfevents.{:.0f}.{}", wall_time, host));
  path_ = first;
  try {
    for (int i = 1; fs.exists(path_); ++i) path_ = fmt::format("{}.{}", first, i);
    file_ = fs.create(path_);
  } catch (const Error& e) {
    error_ = e.what();
    return;
  }
  record(wall_time, double_field(1, wall_time) + bytes_field(3, "brain.Event:2"));
  flush();
}

EventWriter::~EventWriter() { flush(); }

void EventWriter::scalar(double wall_time, int64_t step, std::string_view tag, float value) {
  add_value(wall_time, step, tag, float_field(2, value), summary_metadata("scalars", 1));
}

void EventWriter::text(double wall_time, int64_t step, std::string_view tag,
                       std::string_view markdown) {
  // TensorProto {dtype DT_STRING, a shape without axes, string_val}
  const std::string tensor = varint_field(1, 7) + bytes_field(2, "") + bytes_field(8, markdown);
  add_value(wall_time, step, tag, bytes_field(8, tensor), summary_metadata("text", 2));
}

void EventWriter::session_start(double wall_time, int64_t step) {
  record(wall_time, event_start(wall_time, step) + bytes_field(7, varint_field(1, 1)));
}

// Readers take the metadata of a tag from its first value.
void EventWriter::add_value(double wall_time, int64_t step, std::string_view tag,
                            const std::string& value, const std::string& metadata) {
  std::string v = bytes_field(1, tag) + value;
  if (tags_.find(tag) == tags_.end()) {
    tags_.emplace(tag);
    v += bytes_field(9, metadata);
  }
  record(wall_time, event_start(wall_time, step) + bytes_field(5, bytes_field(1, v)));
}

void EventWriter::record(double wall_time, const std::string& event) {
  if (!error_.empty()) return;
  buffer_ += frame_event_record(event);
  if (buffer_.size() >= kFlushBytes || wall_time - last_flush_ >= kFlushSeconds) {
    last_flush_ = wall_time;
    flush();
  }
}

void EventWriter::flush() {
  if (!error_.empty() || buffer_.empty()) return;
  try {
    file_->write(buffer_);
  } catch (const Error& e) {
    error_ = e.what();
  }
  buffer_.clear();
}

}  // namespace keel
