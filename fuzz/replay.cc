// A fuzz target as an ordinary test, without libFuzzer: every file of the folders that are named,
// then changed copies of them, the same ones each time.
// usage: replay_NAME COPIES FOLDER...

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "core/error.h"
#include "fuzz.h"
#include "io/fs.h"

namespace {

keel::fuzz::Random bytes_random;  // of LLVMFuzzerMutate

void run(const std::string& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size());
}

}  // namespace

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size) {
  using keel::fuzz::below;
  const size_t at = below(bytes_random, size);
  const auto byte = static_cast<uint8_t>(bytes_random());
  switch (below(bytes_random, 4)) {
    case 0:
      if (size < max_size) {
        std::copy_backward(data + at, data + size, data + size + 1);
        data[at] = byte;
        return size + 1;
      }
      [[fallthrough]];
    case 1:
      if (size > 1) return size - 1 - below(bytes_random, size - 1);
      [[fallthrough]];
    default:
      if (size > 0) data[at] = below(bytes_random, 2) == 0 ? byte : data[at] ^ 1;
      return size;
  }
}

int main(int argc, char** argv) {
  using namespace keel;
  if (argc < 3) return 2;
  std::vector<std::string> inputs;
  for (int i = 2; i < argc; ++i) {
    for (const std::string& name : real_fs().list(argv[i])) {
      inputs.push_back(real_fs().read_file(join_path(argv[i], name), kMaxTextBytes));
    }
  }
  fuzz::require(!inputs.empty(), "there is a corpus");
  for (const std::string& input : inputs) run(input);
  const int copies = std::atoi(argv[1]);
  fuzz::Random random(1);
  for (int i = 0; i < copies; ++i) {
    std::string input = inputs[fuzz::below(random, inputs.size())];
    for (size_t changes = 1 + fuzz::below(random, 4); changes > 0; --changes) {
      const size_t size = input.size();
      input.resize(size + 4096);
      input.resize(LLVMFuzzerCustomMutator(reinterpret_cast<uint8_t*>(input.data()), size,
                                           input.size(), static_cast<unsigned>(random())));
    }
    run(input);
  }
  fmt::print("{} files and {} changed copies: no finding\n", inputs.size(), copies);
  return 0;
}
