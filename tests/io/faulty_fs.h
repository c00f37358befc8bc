// The real files, with a fault: every operation has a number, and the one with the number `at`
// fails, alone or with all after it. A write that fails has written half of its bytes. A quota
// limits the bytes that may be reserved or written, as a full disk does.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.h"
#include "io/fs.h"

namespace keel {

// Not one of the library's errors: after it no operation succeeds.
struct PowerCut final : std::exception {
  const char* what() const noexcept override { return "power cut"; }
};

enum class Fault : uint8_t { kIo, kNoRoom, kPowerCut };

class FaultyFs final : public Fs {
 public:
  int at = -1;
  Fault fault = Fault::kIo;
  bool persistent = false;
  std::atomic<int64_t> quota = INT64_MAX;  // may be changed by another thread
  int operations = 0;                      // so far

  std::unique_ptr<FsFile> create(const std::string& path) override {
    check("create", path);
    return std::make_unique<File>(*this, path, real_fs().create(path));
  }
  void make_dir(const std::string& path) override {
    check("make the folder", path);
    real_fs().make_dir(path);
  }
  void rename(const std::string& from, const std::string& to) override {
    check("rename", from);
    real_fs().rename(from, to);
  }
  void remove_file(const std::string& path) override {
    check("remove", path);
    real_fs().remove_file(path);
  }
  void remove_dir(const std::string& path) override {
    check("remove the folder", path);
    real_fs().remove_dir(path);
  }
  void sync_dir(const std::string& path) override {
    check("sync the folder", path);
    real_fs().sync_dir(path);
  }
  void sync_file(const std::string& path) override {
    check("sync", path);
    real_fs().sync_file(path);
  }
  bool exists(const std::string& path) override { return real_fs().exists(path); }
  bool is_dir(const std::string& path) override { return real_fs().is_dir(path); }
  bool is_link(const std::string& path) override { return real_fs().is_link(path); }
  std::vector<std::string> list(const std::string& path) override {
    check("list the folder", path);
    return real_fs().list(path);
  }
  std::string read_file(const std::string& path, uint64_t max_bytes) override {
    check("read", path);
    return real_fs().read_file(path, max_bytes);
  }
  void read_pieces(const std::string& path,
                   const std::function<void(std::string_view)>& take) override {
    check("read", path);
    real_fs().read_pieces(path, take);
  }

 private:
  bool fails() {
    const int n = operations++;
    const bool goes_on = persistent || fault == Fault::kPowerCut;
    return at >= 0 && (n == at || (goes_on && n > at));
  }
  [[noreturn]] void fail(const std::string& operation, const std::string& path) const {
    if (fault == Fault::kPowerCut) throw PowerCut();
    throw IoError(path + ": cannot " + operation + ": injected fault", fault == Fault::kNoRoom);
  }
  void check(const std::string& operation, const std::string& path) {
    if (fails()) fail(operation, path);
  }

  class File final : public FsFile {
   public:
    File(FaultyFs& fs, std::string path, std::unique_ptr<FsFile> real)
        : fs_(fs), path_(std::move(path)), real_(std::move(real)) {}
    void reserve(uint64_t bytes) override {
      fs_.check("reserve", path_);
      if (static_cast<int64_t>(bytes) > fs_.quota) {
        throw IoError(path_ + ": cannot reserve: No space left on device", true);
      }
      fs_.quota -= static_cast<int64_t>(bytes);
      real_->reserve(bytes);
    }
    void write(const void* data, size_t bytes) override {
      if (fs_.fails()) {
        real_->write(data, bytes / 2);
        fs_.fail("write", path_);
      }
      real_->write(data, bytes);
    }
    void sync() override {
      fs_.check("sync", path_);
      real_->sync();
    }
    void close() override {
      fs_.check("close", path_);
      real_->close();
    }

   private:
    FaultyFs& fs_;
    std::string path_;
    std::unique_ptr<FsFile> real_;
  };
};

}  // namespace keel
