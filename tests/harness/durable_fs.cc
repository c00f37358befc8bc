#include "harness/durable_fs.h"

#include <random>
#include <stdexcept>
#include <utility>

#include "core/error.h"

namespace keel {

struct DurableFs::Node {
  bool folder = false;
  std::string bytes, synced_bytes;  // of a file
  bool lost = false;                // a sync failed: what it should have saved never will be
  Names names, synced_names;        // of a folder
  std::vector<Change> changes;      // that lead from the one to the other

  void sync() {
    if (!lost) synced_bytes = bytes;
  }
};

class DurableFs::File final : public FsFile {
 public:
  File(std::unique_ptr<FsFile> inner, std::shared_ptr<Node> node)
      : inner_(std::move(inner)), node_(std::move(node)) {}
  void reserve(uint64_t bytes) override {
    inner_->reserve(bytes);
    if (node_->bytes.size() < bytes) node_->bytes.resize(bytes);
  }
  // A write that fails may have written a part.
  void write(const void* data, size_t bytes) override {
    try {
      inner_->write(data, bytes);
    } catch (...) {
      put(data, bytes / 2);
      throw;
    }
    put(data, bytes);
  }
  void sync() override {
    try {
      inner_->sync();
    } catch (...) {
      node_->lost = true;
      throw;
    }
    node_->sync();
  }
  void close() override { inner_->close(); }

 private:
  void put(const void* data, size_t bytes) {
    if (node_->bytes.size() < at_ + bytes) node_->bytes.resize(at_ + bytes);
    node_->bytes.replace(at_, bytes, static_cast<const char*>(data), bytes);
    at_ += bytes;
  }
  std::unique_ptr<FsFile> inner_;
  std::shared_ptr<Node> node_;
  size_t at_ = 0;
};

// Writes one possible outcome.
class DurableFs::Leaver {
 public:
  Leaver(Unsynced unsynced, uint64_t seed) : unsynced_(unsynced), random_(seed) {}
  void folder(const Node& node, const std::string& to) {
    real_fs().make_dir(to);
    for (const auto& [name, child] : names(node)) {
      const std::string path = join_path(to, name);
      if (child->folder) {
        folder(*child, path);
      } else {
        real_fs().create(path)->write(bytes(*child));
      }
    }
  }

 private:
  bool heads() { return (random_() & 1) != 0; }
  Names names(const Node& node) {
    Names left = node.synced_names;
    for (const Change& c : node.changes) {
      if (unsynced_ == Unsynced::kLost) break;
      if (unsynced_ == Unsynced::kStaysAtRandom && heads()) continue;
      if (!c.removed.empty()) left.erase(c.removed);
      if (!c.added.empty()) left[c.added] = c.node;
    }
    return left;
  }
  std::string bytes(const Node& node) {
    if (node.lost || node.bytes == node.synced_bytes) return node.synced_bytes;
    if (unsynced_ == Unsynced::kStays) return node.bytes;
    if (unsynced_ != Unsynced::kStaysAtRandom || heads()) return node.synced_bytes;
    if (heads()) return node.bytes;
    std::string part = node.bytes;  // as long as it should be, zeros from somewhere on
    const size_t from = part.empty() ? 0 : random_() % part.size();
    for (size_t i = from; i < part.size(); ++i) part[i] = '\0';
    return part;
  }

  Unsynced unsynced_;
  std::mt19937_64 random_;
};

DurableFs::DurableFs(Fs& inner, std::string root)
    : inner_(inner), root_(std::move(root)), top_(std::make_shared<Node>()) {
  top_->folder = true;
}

DurableFs::~DurableFs() = default;

DurableFs::Node& DurableFs::node_at(const std::string& path) const {
  if (path == root_) return *top_;
  if (path.size() <= root_.size()) throw std::logic_error(path + " is not below " + root_);
  const Node& folder = folder_of(path);
  const auto found = folder.names.find(base_name(path));
  if (found == folder.names.end()) throw std::logic_error("the model has no " + path);
  return *found->second;
}

void DurableFs::change(const std::string& path, Change c) const {
  Node& folder = folder_of(path);
  if (!c.removed.empty()) folder.names.erase(c.removed);
  if (!c.added.empty()) folder.names[c.added] = c.node;
  folder.changes.push_back(std::move(c));
}

void DurableFs::leave(const std::string& to, Unsynced unsynced, uint64_t seed) const {
  Leaver(unsynced, seed).folder(*top_, to);
}

std::unique_ptr<FsFile> DurableFs::create(const std::string& path) {
  auto file = inner_.create(path);
  auto node = std::make_shared<Node>();
  change(path, {"", base_name(path), node});
  return std::make_unique<File>(std::move(file), std::move(node));
}

void DurableFs::make_dir(const std::string& path) {
  inner_.make_dir(path);
  auto node = std::make_shared<Node>();
  node->folder = true;
  change(path, {"", base_name(path), std::move(node)});
}

void DurableFs::rename(const std::string& from, const std::string& to) {
  if (parent_path(from) != parent_path(to)) {
    throw std::logic_error("a rename between folders is not modelled: " + from + " to " + to);
  }
  inner_.rename(from, to);
  change(from, {base_name(from), base_name(to), folder_of(from).names.at(base_name(from))});
}

void DurableFs::remove_file(const std::string& path) {
  inner_.remove_file(path);
  change(path, {base_name(path), "", nullptr});
}

void DurableFs::remove_dir(const std::string& path) {
  inner_.remove_dir(path);
  change(path, {base_name(path), "", nullptr});
}

void DurableFs::sync_dir(const std::string& path) {
  inner_.sync_dir(path);
  Node& folder = node_at(path);
  folder.synced_names = folder.names;
  folder.changes.clear();
}

void DurableFs::sync_file(const std::string& path) {
  inner_.sync_file(path);
  node_at(path).sync();
}

}  // namespace keel
