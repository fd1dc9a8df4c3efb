#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

#include "fuzz.hpp"

// Runs a target on every file of the folders given and on what is left of each when it is cut off
// early: what a compiler without libFuzzer can do.
int main(int argc, char** argv) {
  constexpr std::size_t kMostCuts = 1024;
  std::size_t files = 0;
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
      std::ifstream file(entry.path(), std::ios::binary);
      const std::string input{std::istreambuf_iterator<char>(file), {}};
      for (std::size_t length = 0; length < std::min(input.size(), kMostCuts); ++length) {
        // A copy of its own, so that AddressSanitizer sees a read behind the end.
        const std::string cut = input.substr(0, length);
        stratos::fuzz::run(cut);
      }
      stratos::fuzz::run(input);
      ++files;
    }
  }
  std::cout << files << " inputs replayed\n";
  return files > 0 ? 0 : 1;
}
