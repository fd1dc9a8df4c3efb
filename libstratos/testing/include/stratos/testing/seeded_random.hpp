#pragma once

#include <cstdint>
#include <random>

#include "stratos/base/annotations.hpp"
#include "stratos/base/random.hpp"

namespace stratos::testing {

/// Bytes that are the same at each run: for tests only, never for keys.
///
/// Thread safety: all members may be called concurrently.
class STRATOS_EXPORT SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed = 1) : engine_(seed) {}

  [[nodiscard]] std::string bytes(std::size_t count) override {
    const MutexLock lock(mutex_);
    std::string out;
    out.reserve(count);
    while (out.size() < count) out.push_back(static_cast<char>(engine_() & 0xFFU));
    return out;
  }

 private:
  Mutex mutex_;
  std::mt19937_64 engine_ STRATOS_GUARDED_BY(mutex_);
};

}  // namespace stratos::testing
