#include "core/arena.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <numeric>

#include "core/device_memory.h"
#include "core/error.h"

namespace keel {
namespace {

thread_local Arena* current_arena = nullptr;

constexpr const char* kWhat = "the activations of a step";
constexpr size_t kLarge = size_t{1} << 20;  // surely pages of their own

void* take(DeviceKind device, size_t bytes) {
  if (device == DeviceKind::kMeta) return nullptr;
  return device == DeviceKind::kCuda ? cuda_memory().allocate(bytes, kWhat)
                                     : map_pages(bytes, kWhat);
}

void give_back(DeviceKind device, void* data, size_t bytes) {
  if (device == DeviceKind::kCuda)
    cuda_memory().release(data);
  else
    release_pages(data, bytes);
}

// Has the system lay memory under large blocks now and not when each page is first written. A
// kernel before 5.14 does not know how; the first step does it then.
void touch_pages(void* data, size_t bytes) {
#ifdef MADV_POPULATE_WRITE
  if (data != nullptr && bytes >= kLarge) madvise(data, bytes, MADV_POPULATE_WRITE);
#else
  (void)data, (void)bytes;
#endif
}

constexpr size_t kAlign = 64;
size_t rounded(size_t bytes) { return std::max(kAlign, (bytes + kAlign - 1) / kAlign * kAlign); }

}  // namespace

Arena* Arena::current() { return current_arena; }

Arena::Arena(DeviceKind device) : device_(device) {}

Arena::~Arena() {
  if (slab_) give_back(device_, slab_, slab_bytes_);
}

void Arena::begin(uint64_t signature) {
  if (alive_ > 0) {
    throw Error(fmt::format("arena: {} tensors of an earlier step are still alive", alive_), 1);
  }
  const auto found = layouts_.find(signature);
  const Layout* layout = found == layouts_.end() ? nullptr : &found->second;
  // A recorded step takes blocks of its own: beside the slab they would double the memory.
  if (!layout) set_slab(0);
  if (layout && layout->total > slab_bytes_) set_slab(layout->total);
  outer_ = current_arena;
  current_arena = this;
  signature_ = signature;
  replay_ = layout;
  lives_.clear();
  clock_ = 0;
  next_ = 0;
}

void Arena::set_slab(size_t bytes) {
  if (slab_) give_back(device_, slab_, slab_bytes_);
  slab_ = nullptr;
  slab_bytes_ = 0;
  if (bytes == 0 || device_ == DeviceKind::kMeta) return;
  slab_ = take(device_, bytes);
  slab_bytes_ = bytes;
}

void Arena::end(bool complete) {
  current_arena = outer_;
  if (!replay_ && complete) finish_recording();
  replay_ = nullptr;
}

Block* Arena::new_block(size_t bytes) {
  if (free_blocks_.empty()) {
    blocks_.push_back(std::make_unique<Block>());
    free_blocks_.reserve(blocks_.size());
    free_blocks_.push_back(blocks_.back().get());
  }
  Block* b = free_blocks_.back();
  free_blocks_.pop_back();
  *b = Block{.data = nullptr,
             .bytes = bytes,
             .refs = 1,
             .id = static_cast<int32_t>(next_),
             .arena = this,
             .device = device_};
  ++next_;
  ++alive_;
  return b;
}

Block* Arena::allocate(size_t bytes) {
  bytes = rounded(bytes);
  if (replay_ && (next_ >= replay_->sizes.size() || replay_->sizes[next_] < bytes)) {
    throw Error("arena: a step differs from the recorded one of its signature", 1);
  }
  void* data = replay_ ? nullptr : take(device_, bytes);
  Block* b = new_block(bytes);
  if (!replay_) {
    lives_.push_back({bytes, clock_++, -1});
    b->data = data;
    return b;
  }
  if (slab_) b->data = static_cast<char*>(slab_) + replay_->offsets[static_cast<size_t>(b->id)];
  return b;
}

void Arena::release_block(Block* b) {
  if (!lives_.empty()) {
    lives_[static_cast<size_t>(b->id)].died = clock_++;
    if (b->data) give_back(device_, b->data, b->bytes);
  }
  --alive_;
  free_blocks_.push_back(b);
}

void Arena::finish_recording() {
  const size_t n = lives_.size();
  Layout layout;
  layout.sizes.resize(n);
  layout.offsets.resize(n);
  std::vector<size_t> order(n);
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return lives_[a].bytes > lives_[b].bytes; });
  std::vector<size_t> placed;  // in order of offset
  for (size_t i : order) {
    const Life& life = lives_[i];
    size_t at = 0, before = 0;
    for (; before < placed.size(); ++before) {
      const size_t j = placed[before];
      const bool apart = (life.died >= 0 && life.died < lives_[j].born) ||
                         (lives_[j].died >= 0 && lives_[j].died < life.born);
      if (apart) continue;
      if (at + life.bytes <= layout.offsets[j]) break;
      at = std::max(at, layout.offsets[j] + lives_[j].bytes);
    }
    layout.sizes[i] = life.bytes;
    layout.offsets[i] = at;
    layout.total = std::max(layout.total, at + life.bytes);
    const auto where = std::upper_bound(placed.begin(), placed.end(), at,
                                        [&](size_t o, size_t j) { return o < layout.offsets[j]; });
    placed.insert(where, i);
  }
  layouts_[signature_] = std::move(layout);
}

size_t Arena::bytes() const {
  size_t most = 0;
  for (const auto& [_, l] : layouts_) most = std::max(most, l.total);
  return most;
}

void Arena::adopt(const Arena& other) {
  for (const auto& [signature, layout] : other.layouts_) layouts_[signature] = layout;
}

void Arena::reserve() {
  const size_t most = bytes();
  if (most > slab_bytes_) set_slab(most);
  if (device_ == DeviceKind::kCpu) touch_pages(slab_, slab_bytes_);
}

}  // namespace keel
