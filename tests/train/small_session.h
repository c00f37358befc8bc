// A run with a folder: config and data on disk, a session made from them, an observer that
// remembers.
#pragma once

#include <string>
#include <vector>

#include "io/temp_dir.h"
#include "small_run.h"
#include "train/loop.h"
#include "train/session.h"

namespace keel::test {

// 61 windows a pass and 6 a step: step 5 is in the middle of the warm-up, the end in the second
// pass over the data.
inline const char* kTextRun = R"(
[model]
dim = 16
layers = 2
heads = 2
context = 16
dropout = 0.1
[data]
kind = "text"
path = "text.txt"
split = 0.1
[train]
batch = 3
accumulate = 2
steps = 12
ema = 0.9
[optim]
lr = 0.01
[schedule]
warmup = 7
[eval]
every = 0
[checkpoint]
every = 4
[sample]
tokens = 3
[log]
probes = 0
)";

class Folder {
 public:
  Folder() {
    std::string text;
    for (int i = 0; text.size() < 1100; ++i) text += "line " + std::to_string(i * i) + "\n";
    real_fs().write_file(dir_ / "text.txt", text);
    real_fs().write_file(dir_ / "run.toml", kTextRun);
  }
  std::string operator/(const std::string& name) const { return dir_ / name; }
  std::vector<std::string> sets() const { return {"data.path=\"" + (dir_ / "text.txt") + "\""}; }

 private:
  TempDir dir_;
};

// Everything that later steps depend on.
struct Snapshot {
  std::vector<std::string> names;
  std::vector<std::vector<float>> values;
  bool operator==(const Snapshot&) const = default;
};

inline Snapshot snapshot(Trainer& t) {
  Snapshot s;
  for (const Parameter& p : t.model().parameters().list()) {
    s.names.push_back(p.name);
    s.values.push_back(to_host(p.weight));
  }
  for (const StateTensor& x : t.state()) {
    s.names.push_back(x.name);
    s.values.push_back(to_host(x.tensor));
  }
  return s;
}

// Remembers losses and rates, and asks for a stop after a step.
class Watcher final : public Observer {
 public:
  StopRequests stop;
  int64_t stop_after = -1;
  std::vector<double> losses, rates;
  std::vector<int64_t> saved, evaluated;
  std::string last_event;

  void on_step(const Trainer&, const StepResult& r, double) override {
    losses.push_back(r.loss);
    rates.push_back(r.rate);
    if (r.step == stop_after) stop.ask_stop();
  }
  void on_checkpoint(int64_t step, const std::string&) override { saved.push_back(step); }
  void on_eval(const Trainer&, const Evaluation& e) override { evaluated.push_back(e.step); }
  void on_event(int64_t, std::string_view kind, std::string_view text) override {
    last_event = std::string(kind) + ": " + std::string(text);
  }
};

inline RunOutcome run(Session& s, Watcher& w) {
  RunLoop loop(s, real_fs(), {&w}, w.stop);
  return loop.run();
}

inline bool noted(const Session& s, const std::string& text) {
  for (const std::string& n : s.notes) {
    if (n.find(text) != std::string::npos) return true;
  }
  return false;
}

}  // namespace keel::test
