// Runs a fuzz target without libFuzzer: every file of the corpus directory given, then seeded mutations
// of them, so that `make test` exercises each decoder with the ordinary compiler.
//   TARGET [CORPUS_DIR] [ROUNDS]
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/random.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

void run(const std::string& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
}

std::string mutated(std::string input, millrace::Random& random) {
  const int edits = 1 + static_cast<int>(random.below(6));
  for (int i = 0; i < edits; ++i) {
    const std::size_t at = input.empty() ? 0 : random.below(input.size());
    switch (random.below(5)) {
      case 0:
        if (!input.empty()) input[at] = static_cast<char>(random.next());
        break;
      case 1:
        if (!input.empty()) input[at] ^= static_cast<char>(1u << random.below(8));
        break;
      case 2: input.resize(at); break;
      case 3: input.insert(at, 1 + random.below(8), static_cast<char>(random.below(2) ? 0xff : random.next())); break;
      case 4:
        if (!input.empty()) input.erase(at, 1 + random.below(4));
        break;
    }
  }
  return input;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> corpus;
  if (argc > 1 && std::filesystem::is_directory(argv[1])) {
    for (const auto& entry : std::filesystem::directory_iterator(argv[1])) {
      std::ifstream file(entry.path(), std::ios::binary);
      corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    }
  }
  corpus.emplace_back();
  corpus.emplace_back(64, '\0');
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 20000;
  for (const auto& input : corpus) run(input);
  auto random = millrace::make_seeded_random(1);
  for (int i = 0; i < rounds; ++i) run(mutated(corpus[random->below(corpus.size())], *random));
  std::printf("%s: %zu corpus inputs and %d mutations passed\n", argv[0], corpus.size(), rounds);
  return 0;
}
