// A file system of which it is known at any time what a power cut would leave. It passes everything
// on to another one and keeps a model beside it: what of each file was synced, and which names of
// each folder were.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "io/fs.h"

namespace keel {

// What becomes of that which was not synced. POSIX promises nothing about it, so all of these are
// allowed; a rename is whole or not there.
enum class Unsynced : uint8_t {
  kLost,           // names and bytes
  kNamesStay,      // every name, no bytes: renames overtake the data
  kStays,          // everything, as when only the process dies
  kStaysAtRandom,  // some names, and of each file the old bytes, a part of the new ones, or all
};

class DurableFs final : public Fs {
 public:
  // `root`: an existing empty folder; every path must lie below it.
  DurableFs(Fs& inner, std::string root);
  ~DurableFs() override;

  // Makes the new folder `to` and in it what a power cut now would leave below the root.
  void leave(const std::string& to, Unsynced unsynced, uint64_t seed = 0) const;

  std::unique_ptr<FsFile> create(const std::string& path) override;
  void make_dir(const std::string& path) override;
  void rename(const std::string& from, const std::string& to) override;
  void remove_file(const std::string& path) override;
  void remove_dir(const std::string& path) override;
  void sync_dir(const std::string& path) override;
  void sync_file(const std::string& path) override;
  bool exists(const std::string& path) override { return inner_.exists(path); }
  bool is_dir(const std::string& path) override { return inner_.is_dir(path); }
  bool is_link(const std::string& path) override { return inner_.is_link(path); }
  std::vector<std::string> list(const std::string& path) override { return inner_.list(path); }
  std::string read_file(const std::string& path, uint64_t max_bytes) override {
    return inner_.read_file(path, max_bytes);
  }
  void read_pieces(const std::string& path,
                   const std::function<void(std::string_view)>& take) override {
    inner_.read_pieces(path, take);
  }

 private:
  struct Node;
  class File;
  using Names = std::map<std::string, std::shared_ptr<Node>>;
  // One change of a folder's names that was not synced: whole or not there.
  struct Change {
    std::string removed, added;  // either may be empty
    std::shared_ptr<Node> node;  // of the added name
  };
  class Leaver;

  Node& node_at(const std::string& path) const;
  Node& folder_of(const std::string& path) const { return node_at(parent_path(path)); }
  void change(const std::string& path, Change c) const;

  Fs& inner_;
  std::string root_;
  std::shared_ptr<Node> top_;
};

}  // namespace keel
