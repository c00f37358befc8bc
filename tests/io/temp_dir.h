// An empty folder of its own for one test, removed at the end; in memory where that is possible,
// since tests of saving sync thousands of files.
#pragma once

#include <stdlib.h>

#include <string>

#include "io/fs.h"

namespace keel {

class TempDir {
 public:
  TempDir() {
    for (std::string name : {"/dev/shm/keel-test-XXXXXX", "/tmp/keel-test-XXXXXX"}) {
      if (path_.empty() && mkdtemp(name.data()) != nullptr) path_ = name;
    }
  }
  ~TempDir() { real_fs().remove_quietly(path_); }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return join_path(path_, name); }

 private:
  std::string path_;
};

// The bytes of a file replaced by others, as damage from outside does it.
inline void overwrite(const std::string& path, std::string_view text) {
  real_fs().remove_file(path);
  real_fs().create(path)->write(text);
}

}  // namespace keel
