// Text as windows: what is in them, in which order, and what never is.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "data/byte_tokenizer.h"
#include "data_files.h"

namespace keel {
namespace {

constexpr int64_t kContext = 32;

class TextData : public testing::Test {
 protected:
  TempDir dir;
  std::unique_ptr<Dataset> open(const std::vector<std::string>& path, DatasetArgs args,
                                double split = 0.1) {
    DataConfig config = files_config("text", path);
    file_options(config).split = split;
    return Dataset::open(config, args);
  }
};

TEST_F(TextData, WindowsAreTextShiftedByOne) {
  const std::string text = numbered_text(10000);
  const auto data = open({write_to(dir, "a.txt", text)}, args_of(kContext));
  EXPECT_EQ(data->vocab(), 257);
  EXPECT_EQ(data->tokenizer().kind(), "byte");
  Batch b;
  data->train_batch(0, 3, b);
  EXPECT_EQ(b.rows, 3);
  EXPECT_EQ(b.length, kContext);
  EXPECT_TRUE(b.segments.empty());
  EXPECT_EQ(b.source, std::vector<int32_t>(3, 0));
  EXPECT_EQ(b.weights, std::vector<float>(3 * kContext, 1.0f));
  for (int64_t r = 0; r < 3; ++r) {
    const std::string window = text_of(window_of(b, r));
    const size_t at = text.find(window);
    ASSERT_NE(at, std::string::npos) << window;
    const Place place = data->train_place(r);
    EXPECT_EQ(place.file, dir / "a.txt");
    EXPECT_EQ(place.source, "a.txt");
    EXPECT_EQ(place.unit, "byte");
    EXPECT_EQ(place.offset, static_cast<int64_t>(at));
    for (int64_t i = 0; i + 1 < kContext; ++i) {
      EXPECT_EQ(b.targets[static_cast<size_t>(r * kContext + i)],
                b.inputs[static_cast<size_t>(r * kContext + i + 1)]);
    }
  }
}

TEST_F(TextData, EachWindowOncePerPassAndInsideTheSplit) {
  for (const int64_t bytes : {1000, 9000}) {
    const std::string text = numbered_text(bytes);
    const auto data = open({write_to(dir, std::to_string(bytes), text)}, args_of(kContext));
    const int64_t windows = data->train_tokens() / kContext;
    const int64_t train_bytes = bytes + 1 - std::llround((bytes + 1) * 0.1);
    std::set<std::vector<int64_t>> orders;
    for (int64_t pass = 0; pass < 3; ++pass) {
      std::set<int64_t> begins;
      std::vector<int64_t> order;
      for (int64_t i = 0; i < windows; ++i) {
        const int64_t at = data->train_place(pass * windows + i).offset;
        EXPECT_TRUE(begins.insert(at).second);
        EXPECT_GE(at, 0);
        EXPECT_LE(at + kContext + 1, train_bytes);
        EXPECT_EQ(at % kContext, *begins.begin() % kContext) << "windows of a pass overlap";
        order.push_back(at);
      }
      EXPECT_FALSE(std::is_sorted(order.begin(), order.end()));
      orders.insert(order);
    }
    EXPECT_EQ(orders.size(), 3u) << "passes have the same order";
    EXPECT_GE((windows + 2) * kContext, train_bytes - 1) << "a pass leaves out too much";
  }
}

TEST_F(TextData, ValidationHasEachTargetOnceAndNothingOfTraining) {
  const std::string text = numbered_text(5000);
  const auto data = open({write_to(dir, "a.txt", text)}, args_of(kContext));
  const int64_t kept = std::llround(5001 * 0.1);
  EXPECT_EQ(data->eval_tokens(), kept - 1);
  EXPECT_EQ(data->eval_windows(), (kept - 1 + kContext - 1) / kContext);
  std::string seen;
  Batch b;
  for (int64_t w = 0; w < data->eval_windows() + 3; w += 4) {
    data->eval_batch(w, 4, b);
    for (size_t i = 0; i < b.targets.size(); ++i) {
      ASSERT_TRUE(b.weights[i] == 0.0f || b.weights[i] == 1.0f);
      if (b.weights[i] == 1.0f) seen += text_of({b.targets[i]});
    }
  }
  EXPECT_EQ(seen, (text + "$").substr(static_cast<size_t>(5001 - kept + 1)));
  data->eval_batch(0, 1, b);
  EXPECT_EQ(text_of({b.inputs[0]}), text.substr(static_cast<size_t>(5001 - kept), 1));
  EXPECT_EQ(data->eval_bytes(data->tokenizer()), kept - 2) << "the end token stands for no byte";
  EXPECT_EQ(data->eval_place(1).offset, 5001 - kept + kContext);
}

TEST_F(TextData, BatchesArePureFunctions) {
  const std::string path = write_to(dir, "a.txt", numbered_text(9000));
  const auto a = open({path}, args_of(kContext, 0, 5)), b = open({path}, args_of(kContext, 300, 5));
  const auto other = open({path}, args_of(kContext, 0, 6));
  Batch all, part, again;
  a->train_batch(0, 1000, all);
  b->train_batch(997, 3, part);
  for (int64_t r = 0; r < 3; ++r) EXPECT_EQ(window_of(all, 997 + r), window_of(part, r));
  a->train_batch(997, 3, again);
  EXPECT_TRUE(same(part, again));
  other->train_batch(997, 3, again);
  EXPECT_FALSE(same(part, again));
  EXPECT_EQ(a->fingerprint(), other->fingerprint());
}

TEST_F(TextData, BatchesReuseTheirMemory) {
  const auto data = open({write_to(dir, "a.txt", numbered_text(9000))}, args_of(kContext));
  Batch b;
  data->train_batch(0, 8, b);
  const auto* inputs = b.inputs.data();
  const auto* weights = b.weights.data();
  data->train_batch(8, 8, b);
  data->eval_batch(0, 2, b);
  EXPECT_EQ(b.inputs.data(), inputs);
  EXPECT_EQ(b.weights.data(), weights);
}

TEST_F(TextData, FolderOfDocuments) {
  real_fs().make_dir(dir / "books");
  real_fs().make_dir(dir / "books/more");
  write_to(dir, "books/b.txt", "second");
  write_to(dir, "books/a.txt", "first");
  write_to(dir, "books/more/c.txt", "third");
  write_to(dir, "books/readme.md", "not this");
  for (const auto& path : std::vector<std::vector<std::string>>{
           {dir / "books"}, {dir / "books/a.txt", dir / "books/b.txt", dir / "books/more"}}) {
    DataConfig config = files_config("text", path);
    file_options(config).split = 0;
    file_options(config).document_mask = true;
    const auto data = Dataset::open(config, args_of(18));
    EXPECT_EQ(data->eval_windows(), 0);
    Batch b;
    data->train_batch(0, 1, b);
    EXPECT_EQ(text_of(window_of(b, 0)), "first$second$third$");
    const std::vector<int32_t> segments = {0, 0, 0, 0, 0,  0,  6,  6,  6,
                                           6, 6, 6, 6, 13, 13, 13, 13, 13};
    EXPECT_EQ(b.segments, segments);
  }
}

TEST_F(TextData, MaskRestartsInTheMiddleOfAWindow) {
  std::string text;
  DataConfig config = config_of("text");
  for (int i = 0; i < 40; ++i) {
    const std::string document = numbered_text(5 + i % 7);
    file_options(config).path.push_back(write_to(dir, std::to_string(100 + i), document));
    text += document + "$";
  }
  file_options(config).document_mask = true;
  const auto data = Dataset::open(config, args_of(16));
  Batch b;
  data->train_batch(0, 12, b);
  for (int64_t r = 0; r < 12; ++r) {
    int32_t start = 0;
    for (int32_t i = 0; i < 16; ++i) {
      const auto at = static_cast<size_t>(r * 16 + i);
      if (i > 0 && b.inputs[at - 1] == 256) start = i;
      EXPECT_EQ(b.segments[at], start);
    }
    EXPECT_NE(text.find(text_of(window_of(b, r))), std::string::npos);
  }
  EXPECT_EQ(data->train_place(0).unit, "byte");
}

TEST_F(TextData, ValidationFromItsOwnFile) {
  DataConfig config = files_config("text", {write_to(dir, "train.txt", numbered_text(1000))});
  file_options(config).val_path = {write_to(dir, "other.txt", std::string(100, 'v'))};
  const auto data = Dataset::open(config, args_of(kContext));
  EXPECT_EQ(data->source_names(), (std::vector<std::string>{"train.txt", "other.txt"}));
  EXPECT_EQ(data->eval_tokens(), 100);
  Batch b;
  data->eval_batch(0, 1, b);
  EXPECT_EQ(b.source[0], 1);
  EXPECT_EQ(text_of(window_of(b, 0)), std::string(33, 'v'));
  const int64_t windows = data->train_tokens() / kContext;
  data->train_batch(0, windows, b);
  for (int64_t r = 0; r < windows; ++r) EXPECT_EQ(b.source[static_cast<size_t>(r)], 0);
}

TEST_F(TextData, SourcesHaveTheirShares) {
  DataConfig config = config_of("text");
  const std::vector<double> weights = {1, 3};
  for (int i = 0; i < 2; ++i) {
    SourceConfig& s = file_options(config).sources.emplace_back();
    s.path = {write_to(dir, std::string(1, static_cast<char>('a' + i)),
                       std::string(2000, static_cast<char>('a' + i)))};
    s.weight = weights[static_cast<size_t>(i)];
    if (i == 1) s.name = "bees";
  }
  const auto data = Dataset::open(config, args_of(kContext));
  EXPECT_EQ(data->source_names(), (std::vector<std::string>{"a", "bees"}));
  Batch b;
  data->train_batch(0, 400, b);
  int64_t bees = 0;
  for (int64_t r = 0; r < 400; ++r) {
    const int32_t source = b.source[static_cast<size_t>(r)];
    EXPECT_EQ(text_of(window_of(b, r)), std::string(33, static_cast<char>('a' + source)));
    EXPECT_EQ(data->train_place(r).source, source == 0 ? "a" : "bees");
    bees += source;
  }
  EXPECT_NEAR(static_cast<double>(bees), 300, 1);
  std::map<int32_t, int64_t> targets;
  for (int64_t w = 0; w < data->eval_windows(); ++w) {
    data->eval_batch(w, 1, b);
    for (const float weight : b.weights) targets[b.source[0]] += weight == 1.0f;
  }
  EXPECT_EQ(targets[0] + targets[1], data->eval_tokens());
  EXPECT_EQ(targets[0], 99);
}

TEST_F(TextData, StreamsWalkOn) {
  const std::string text = numbered_text(4000);
  DataConfig config = files_config("text", {write_to(dir, "a.txt", text)});
  file_options(config).sampler = "stream";
  constexpr int64_t kLanes = 4;
  const auto data = Dataset::open(config, args_of(kContext, 0, 0, kLanes));
  const int64_t in_lane = data->train_tokens() / kContext / kLanes;
  EXPECT_EQ(in_lane, 29);
  std::set<int64_t> begins;
  for (int64_t step = 0; step < 2 * in_lane; ++step) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const int64_t n = step * kLanes + lane;
      EXPECT_EQ(data->starts_lane(n), step % in_lane == 0);
      const int64_t at = data->train_place(n).offset;
      EXPECT_EQ(begins.insert(at).second, step < in_lane);
      if (step % in_lane != 0) {
        EXPECT_EQ(at, data->train_place(n - kLanes).offset + kContext);
      }
    }
  }
}

TEST_F(TextData, StreamsOfSeveralSourcesKeepTheirLanes) {
  DataConfig config = config_of("text");
  file_options(config).sampler = "stream";
  for (const char c : {'a', 'b'}) {
    SourceConfig& s = file_options(config).sources.emplace_back();
    s.path = {write_to(dir, std::string(1, c), numbered_text(3000))};
    s.weight = c == 'a' ? 1 : 3;
  }
  const auto data = Dataset::open(config, args_of(kContext, 0, 0, 8));
  Batch first, later;
  data->train_batch(0, 8, first);
  int sum = 0;
  for (int64_t step = 1; step < 5; ++step) {
    data->train_batch(step * 8, 8, later);
    EXPECT_EQ(later.source, first.source);
    for (int64_t lane = 0; lane < 8; ++lane) {
      EXPECT_EQ(data->train_place(step * 8 + lane).offset,
                data->train_place(lane).offset + step * kContext);
    }
  }
  for (const int32_t s : first.source) sum += s;
  EXPECT_EQ(sum, 6);
}

TEST_F(TextData, EvaluationOfAFile) {
  const ByteTokenizer bytes{NoOptions()};
  const std::string path = write_to(dir, "x.txt", "hello");
  const auto data = Dataset::open_eval(path, bytes, config_of("text"), args_of(kContext));
  EXPECT_EQ(data->eval_tokens(), 5);
  EXPECT_EQ(data->eval_bytes(data->tokenizer()), 4);
  EXPECT_EQ(data->eval_windows(), 1);
  EXPECT_EQ(data->train_tokens(), 0);
  Batch b;
  data->eval_batch(0, 1, b);
  EXPECT_EQ(text_of({b.targets.begin(), b.targets.begin() + 5}), "ello$");
  EXPECT_EQ(b.weights[4], 1.0f);
  EXPECT_EQ(b.weights[5], 0.0f);
}

// As the model was trained, whatever the file's kind.
TEST_F(TextData, EvaluationKeepsDocumentsApart) {
  const ByteTokenizer bytes{NoOptions()};
  DataConfig run = files_config("text", {"unread"});
  file_options(run).document_mask = true;
  file_options(run).sampler = "stream";
  Batch b;
  for (const auto& [name, content] :
       {std::pair{"a.jsonl", "{\"text\": \"ab\"}\n{\"text\": \"c\"}\n"}, {"b.txt", "ab"}}) {
    Dataset::open_eval(write_to(dir, name, content), bytes, run, args_of(4))->eval_batch(0, 1, b);
    ASSERT_EQ(b.segments.size(), 4u) << name;
    EXPECT_EQ(b.segments[0], b.segments[1]) << name;
    if (std::string(name) == "a.jsonl") {
      EXPECT_NE(b.segments[2], b.segments[3]);
    }
  }
  file_options(run).document_mask = false;
  Dataset::open_eval(write_to(dir, "c.txt", "ab"), bytes, run, args_of(4))->eval_batch(0, 1, b);
  EXPECT_TRUE(b.segments.empty());
}

TEST_F(TextData, SourcesOfOneNameAreToldApart) {
  real_fs().make_dir(dir / "a");
  real_fs().make_dir(dir / "b");
  const std::string a = write_to(dir, "a/x.txt", numbered_text(400)),
                    b = write_to(dir, "b/x.txt", numbered_text(300)),
                    y = write_to(dir, "b/y.txt", numbered_text(200));
  DataConfig config = config_of("text");
  for (const std::string& path : {a, b, y})
    file_options(config).sources.emplace_back().path = {path};
  EXPECT_EQ(Dataset::open(config, args_of(4))->source_names(),
            (std::vector<std::string>{"x.txt", "x.txt (2)", "y.txt"}));
  config = files_config("text", {a});
  file_options(config).val_path = {b};
  EXPECT_EQ(Dataset::open(config, args_of(4))->source_names(),
            (std::vector<std::string>{"x.txt", "x.txt (2)"}));
  file_options(config).val_path = {y};
  EXPECT_EQ(Dataset::open(config, args_of(4))->source_names(),
            (std::vector<std::string>{"x.txt", "y.txt"}));
}

TEST_F(TextData, FingerprintFollowsContentNotPlace) {
  real_fs().make_dir(dir / "moved");
  const std::string text = numbered_text(3000);
  std::string changed = text;
  changed[1234] = 'x';
  const auto a = open({write_to(dir, "a.txt", text)}, args_of(kContext));
  const auto b = open({write_to(dir, "moved/a.txt", text)}, args_of(kContext));
  real_fs().remove_file(dir / "moved/a.txt");
  const auto c = open({write_to(dir, "moved/a.txt", changed)}, args_of(kContext));
  EXPECT_EQ(a->fingerprint(), b->fingerprint());
  EXPECT_NE(a->fingerprint(), c->fingerprint());
  EXPECT_EQ(a->fingerprint().size(), 32u);
}

}  // namespace
}  // namespace keel
