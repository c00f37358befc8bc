// Memory of one step. The first time a shape signature is seen, blocks come from the system while
// their lifetimes are recorded; from then on every block of that signature has its place in one
// slab, so a step allocates nothing. A layout recorded on kMeta can be adopted before the first
// real step. Greedy placement by size: Pisarchyk and Lee, arXiv 2001.03288, section 4.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "core/device_kind.h"
#include "core/memory.h"

namespace keel {

class Arena {
 public:
  explicit Arena(DeviceKind device);
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Opens a step of that signature on this thread; tensors made by empty() live in it.
  void begin(uint64_t signature);
  // Closes it. Every tensor of the step must be gone.
  void end();
  static Arena* current();

  Block* allocate(size_t bytes);
  void release_block(Block* block);

  // Bytes the slab needs for the largest signature known, and the layouts themselves.
  size_t bytes() const;
  bool knows(uint64_t signature) const { return layouts_.count(signature) != 0; }
  // Takes over the layouts that another arena (kMeta) recorded.
  void adopt(const Arena& other);

 private:
  struct Layout {
    std::vector<size_t> sizes, offsets;
    size_t total = 0;
  };
  struct Life {
    size_t bytes = 0;
    int64_t born = 0, died = -1;
  };

  Block* new_block(size_t bytes);
  void finish_recording();
  void grow(size_t bytes);

  DeviceKind device_;
  std::map<uint64_t, Layout> layouts_;
  const Layout* replay_ = nullptr;
  uint64_t signature_ = 0;
  std::vector<Life> lives_;
  int64_t clock_ = 0;
  size_t next_ = 0;
  size_t alive_ = 0;
  std::vector<std::unique_ptr<Block>> blocks_;  // control blocks, reused each step
  std::vector<Block*> free_blocks_;
  void* slab_ = nullptr;
  size_t slab_bytes_ = 0;
  Arena* outer_ = nullptr;
};

// begin() and end() as a scope.
class ArenaScope {
 public:
  ArenaScope(Arena& arena, uint64_t signature) : arena_(arena) { arena_.begin(signature); }
  ~ArenaScope() { arena_.end(); }
  ArenaScope(const ArenaScope&) = delete;
  ArenaScope& operator=(const ArenaScope&) = delete;

 private:
  Arena& arena_;
};

}  // namespace keel
