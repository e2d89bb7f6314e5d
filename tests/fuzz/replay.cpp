/// Runs a fuzz target without libFuzzer: its seeds, kept findings, and a fixed sequence of mutations of them.
///   replay_X [--runs N] [--write FOLDER] [FILE|FOLDER]...     --write: seeds into FOLDER, dictionary into FOLDER.dict

#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include "tests/fuzz/target.h"

namespace {

namespace fs = std::filesystem;

/// SplitMix64: the same inputs on every machine.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::size_t below(std::size_t bound) { return bound == 0 ? 0 : static_cast<std::size_t>(next() % bound); }

 private:
  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
  }
  std::uint64_t state_;
};

void mutate(std::string& input, const std::vector<std::string>& pool, const std::vector<std::string>& words,
            Random& random) {
  const std::size_t at = random.below(input.size() + 1),
                    length = random.below(std::min<std::size_t>(input.size() - at, 64) + 1);
  switch (random.below(7)) {
    case 0:
      if (at < input.size()) input[at] = static_cast<char>(input[at] ^ 1 << random.below(8));
      return;
    case 1:
      input.erase(at, length);
      return;
    case 2:
      input.insert(at, input.substr(at, length));
      return;
    case 3:
      input.insert(at, 1, static_cast<char>(random.below(256)));
      return;
    case 4:
      input.replace(at, random.below(2) ? length : 0, words.empty() ? "" : words[random.below(words.size())]);
      return;
    case 5: {
      const std::string& other = pool[random.below(pool.size())];
      input = input.substr(0, at) + other.substr(random.below(other.size() + 1));
      return;
    }
    default: {
      const auto digit = input.find_first_of("0123456789", at);
      if (digit != input.npos)
        input.replace(digit, 1, std::to_string(random.below(2) ? random.below(1 << 16) : random.below(11)));
    }
  }
}

void run(const std::string& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
}

std::string read(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write_start(const fs::path& folder, const std::vector<std::string>& seeds) {
  fs::create_directories(folder);
  for (std::size_t i = 0; i < seeds.size(); ++i)
    std::ofstream(folder / std::to_string(i), std::ios::binary) << seeds[i];
  std::ofstream dictionary(folder.string() + ".dict");
  constexpr const char* k_hex = "0123456789abcdef";
  for (const std::string& word : fuzz::words()) {
    dictionary << '"';
    for (const char c : word) {
      const auto byte = static_cast<unsigned char>(c);
      if (c == '"' || c == '\\')
        dictionary << '\\' << c;
      else if (byte < 0x20 || byte > 0x7E)
        dictionary << "\\x" << k_hex[byte >> 4] << k_hex[byte & 15];
      else
        dictionary << c;
    }
    dictionary << "\"\n";
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> pool = fuzz::seeds();
  std::size_t runs = 0;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--runs" && i + 1 < argc) {
      runs = std::stoul(argv[++i]);
    } else if (argument == "--write" && i + 1 < argc) {
      write_start(argv[++i], pool);
    } else if (fs::is_directory(argument)) {
      for (const auto& entry : fs::directory_iterator(argument)) pool.push_back(read(entry.path()));
    } else if (fs::exists(argument)) {
      pool.push_back(read(argument));
    }
  }
  for (const std::string& input : pool) run(input);
  const auto words = fuzz::words();
  Random random(20260101);
  for (std::size_t i = 0; i < runs; ++i) {
    std::string input = pool[random.below(pool.size())];
    for (std::size_t n = 1 + random.below(6); n > 0; --n) mutate(input, pool, words, random);
    run(input);
  }
  std::cout << pool.size() << " inputs and " << runs << " mutations of them\n";
}
