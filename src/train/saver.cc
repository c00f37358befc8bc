#include "train/saver.h"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

#include "core/clock.h"
#include "train/metrics_log.h"

namespace keel {

// Does one job, again and again, each time it is asked to. Asked before it goes, it does it first.
class Saver::Worker {
 public:
  explicit Worker(std::function<void()> job) : job_(std::move(job)), thread_([this] { work(); }) {}
  ~Worker() {
    {
      const std::lock_guard lock(mutex_);
      closing_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  void start() {
    busy_.store(true);
    {
      const std::lock_guard lock(mutex_);
      asked_ = true;
    }
    changed_.notify_all();
  }
  bool busy() const { return busy_.load(); }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !asked_; });
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return asked_ || closing_; });
      if (!asked_) return;
      lock.unlock();
      job_();
      lock.lock();
      asked_ = false;
      busy_.store(false);
      changed_.notify_all();
    }
  }

  std::function<void()> job_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool asked_ = false, closing_ = false;
  std::atomic<bool> busy_{false};  // asked_, for those who do not wait
  std::thread thread_;             // last: it uses the others
};

Saver::Saver(Fs& fs, std::string run, CheckpointState& state, const Retention& retention,
             std::string config)
    : fs_(fs),
      run_(std::move(run)),
      state_(state),
      retention_(retention),
      config_(std::move(config)) {
  if (state_.copies()) worker_ = std::make_unique<Worker>([this] { write(); });
}

Saver::~Saver() = default;

std::string Saver::begin(const Trainer& trainer, const CheckpointNumbers& numbers) {
  begun_at_ = seconds_now();
  std::string bad = state_.take();
  if (!bad.empty()) return bad;
  if (content_.files.empty()) content_ = checkpoint_content(trainer, state_, config_);
  set_numbers(content_, trainer, numbers);
  start();
  return {};
}

void Saver::begin_again() {
  begun_at_ = seconds_now();
  start();
}

void Saver::start() {
  pending_ = true;
  if (worker_) {
    worker_->start();
  } else {
    write();
  }
}

void Saver::write() noexcept {
  error_ = nullptr;
  try {
    sync_metrics(fs_, run_);
    saved_.step = content_.step;
    saved_.path = save_checkpoint(fs_, run_, content_);
    rotate_checkpoints(fs_, run_, retention_, saved_.path);
  } catch (...) {
    error_ = std::current_exception();
  }
  saved_.seconds = seconds_now() - begun_at_;
}

std::optional<SavedCheckpoint> Saver::collect(bool wait) {
  if (!pending_) return std::nullopt;
  if (worker_) {
    if (wait) worker_->wait();
    if (worker_->busy()) return std::nullopt;
  }
  pending_ = false;
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  return saved_;
}

}  // namespace keel
