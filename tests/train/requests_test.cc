// What a run does when it is asked to stop, to save, or when its time is nearly up.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "small_session.h"
#include "train/checkpoint_store.h"
#include "train/state_hash.h"

namespace keel::test {
namespace {

// Asks for a stop from another thread, a moment after `after` steps.
class StopsLater final : public Observer {
 public:
  StopsLater(Watcher& watcher, int64_t after) : watcher_(watcher), after_(after) {}
  ~StopsLater() override {
    if (thread_.joinable()) thread_.join();
  }
  void on_step(const Trainer&, const StepResult& r, double) override {
    if (r.step != after_) return;
    thread_ = std::thread([this] {
      std::this_thread::sleep_for(std::chrono::milliseconds(30));
      watcher_.stop.ask_stop();
    });
  }

 private:
  Watcher& watcher_;
  int64_t after_;
  std::thread thread_;
};

const std::vector<std::string> kEndlessEvaluation = {
    "data.kind=markov", "data.symbols=8", "data.val_tokens=300000000", "checkpoint.every=0"};

TEST(Requests, AStopCutsAnEvaluationOffAndItIsDueAgain) {
  const Folder folder;
  std::vector<std::string> sets = kEndlessEvaluation;
  sets.emplace_back("eval.every=3");
  Watcher first, second;
  std::string hash;
  {
    Session s = create_session(real_fs(), folder / "run.toml", sets, folder / "a");
    StopsLater later(first, 3);
    RunLoop loop(s, real_fs(), {&first, &later}, first.stop);
    const RunOutcome o = loop.run();
    EXPECT_EQ(o.end, RunEnd::kStopped);
    EXPECT_EQ(o.steps, 3);
    EXPECT_EQ(o.reason, "asked to stop");
    EXPECT_TRUE(first.evaluated.empty());
    EXPECT_EQ(first.saved, std::vector<int64_t>{3});
    hash = state_hash(*s.trainer);
  }
  Session s = resume_session(real_fs(), folder / "a", {"eval.tokens=100"});
  EXPECT_EQ(state_hash(*s.trainer), hash);
  EXPECT_EQ(run(s, second).end, RunEnd::kFinished);
  EXPECT_EQ(second.evaluated, (std::vector<int64_t>{3, 6, 9, 12}));
}

TEST(Requests, AStopInTheLastEvaluationLeavesItToTheResume) {
  const Folder folder;
  Watcher first, second;
  {
    Session s = create_session(real_fs(), folder / "run.toml", kEndlessEvaluation, folder / "a");
    StopsLater later(first, 12);
    RunLoop loop(s, real_fs(), {&first, &later}, first.stop);
    const RunOutcome o = loop.run();
    EXPECT_EQ(o.end, RunEnd::kStopped);
    EXPECT_EQ(o.steps, 12);
    EXPECT_FALSE(o.val_loss.has_value());
    EXPECT_EQ(first.saved, std::vector<int64_t>{12});
  }
  Session s = resume_session(real_fs(), folder / "a", {"eval.tokens=100"});
  EXPECT_EQ(run(s, second).end, RunEnd::kFinished);
  EXPECT_EQ(second.evaluated, std::vector<int64_t>{12});
  EXPECT_TRUE(second.losses.empty());
}

TEST(Requests, AStopCutsASampleOff) {
  const Folder folder;
  Watcher w;
  Session s = create_session(real_fs(), folder / "run.toml",
                             {"sample.every=2", "sample.tokens=100000000", "sample.temperature=0"},
                             folder / "a");
  StopsLater later(w, 2);
  RunLoop loop(s, real_fs(), {&w, &later}, w.stop);
  const RunOutcome o = loop.run();
  EXPECT_EQ(o.end, RunEnd::kStopped);
  EXPECT_EQ(o.steps, 2);
  EXPECT_EQ(w.saved, std::vector<int64_t>{2});
}

TEST(Requests, AStopWhileDataIsReadBeginsNothing) {
  const Folder folder;
  StopRequests requests;
  requests.ask_stop();
  const StopScope scope(requests);
  EXPECT_THROW(create_session(real_fs(), folder / "run.toml", {}, folder / "a"), Stopped);
  EXPECT_EQ(real_fs().list(folder / ".").size(), 2u);
}

TEST(Requests, ASaveThatIsAskedForIsMadeAfterTheStepAndTheRunGoesOn) {
  struct AsksToSave final : Observer {
    explicit AsksToSave(Watcher& w) : watcher(w) {}
    Watcher& watcher;
    void on_step(const Trainer&, const StepResult& r, double) override {
      if (r.step == 5) watcher.stop.ask_save();
    }
  };
  const Folder folder;
  Watcher w;
  Session s = create_session(real_fs(), folder / "run.toml", {}, folder / "a");
  AsksToSave asks(w);
  RunLoop loop(s, real_fs(), {&w, &asks}, w.stop);
  EXPECT_EQ(loop.run().end, RunEnd::kFinished);
  EXPECT_EQ(w.saved, (std::vector<int64_t>{4, 5, 8, 12}));
}

TEST(Requests, ALimitOfTimeStopsBeforeItIsOver) {
  const Folder folder;
  Watcher w;
  w.stop.limit(1.5, "--max-time");
  Session s = create_session(real_fs(), folder / "run.toml",
                             {"train.steps=1000000", "checkpoint.every=0"}, folder / "a");
  const RunOutcome o = run(s, w);
  EXPECT_EQ(o.end, RunEnd::kStopped);
  EXPECT_EQ(o.reason, "the time of --max-time is nearly up");
  EXPECT_GT(w.stop.seconds_left(), -1.0);
  EXPECT_EQ(load_newest_checkpoint(folder / "a").found.has_value(), o.steps > 0);
}

// A checkpoint never stands without the numbers of the steps before it.
TEST(Requests, ObserversAreToldBeforeACheckpointIsSaved) {
  struct Order final : Observer {
    std::string seen;
    void before_checkpoint(int64_t step) override { seen += "before" + std::to_string(step) + " "; }
    void on_checkpoint(int64_t step, const std::string&) override {
      seen += "after" + std::to_string(step) + " ";
    }
  };
  const Folder folder;
  Watcher w;
  Order order;
  Session s = create_session(real_fs(), folder / "run.toml", {"train.steps=8"}, folder / "a");
  RunLoop loop(s, real_fs(), {&order}, w.stop);
  loop.run();
  EXPECT_EQ(order.seen, "before4 after4 before8 after8 ");
}

}  // namespace
}  // namespace keel::test
