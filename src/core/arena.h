// Memory of one step. The first time a shape signature is seen, blocks come from the system while
// their lifetimes are recorded; from then on every block of that signature has its place in one
// slab, so a step allocates nothing. A layout recorded on kMeta can be adopted before the first
// real step. Greedy placement by size: Pisarchyk and Lee, arXiv 2001.03288, section 4.
#pragma once

#include <cstdint>
#include <exception>
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

  // Opens a step of that signature on this thread; tensors made by empty() on the arena's device
  // live in it. Throws MemoryError, or Error when tensors of an earlier step are still alive; no
  // step is open then.
  void begin(uint64_t signature);
  // Closes it. Every tensor of the step must be gone. A layout is kept only of a step that was
  // `complete`: one that an error cut short has not shown all of its tensors.
  void end(bool complete);
  static Arena* current();
  DeviceKind device() const { return device_; }

  Block* allocate(size_t bytes);
  void release_block(Block* block);

  // Bytes the slab needs for the largest signature known, and the layouts themselves.
  size_t bytes() const;
  bool knows(uint64_t signature) const { return layouts_.count(signature) != 0; }
  // Takes over the layouts that another arena (kMeta) recorded.
  void adopt(const Arena& other);
  // Takes the slab of the largest signature known now, pages and all, so that no later step asks
  // for more. Throws MemoryError.
  void reserve();

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
  void set_slab(size_t bytes);

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

// begin() and end() as a scope; one that is left by an exception was not complete.
class ArenaScope {
 public:
  ArenaScope(Arena& arena, uint64_t signature)
      : arena_(arena), exceptions_(std::uncaught_exceptions()) {
    arena_.begin(signature);
  }
  ~ArenaScope() { arena_.end(std::uncaught_exceptions() == exceptions_); }
  ArenaScope(const ArenaScope&) = delete;
  ArenaScope& operator=(const ArenaScope&) = delete;

 private:
  Arena& arena_;
  int exceptions_;
};

}  // namespace keel
