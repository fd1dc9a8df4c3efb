#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "stratos/base/clock.hpp"

namespace stratos::testing {

/// A clock that a test moves by hand.
///
/// A frozen clock stands still between calls of set() and advance(); a running one follows the
/// system's clock, shifted by what was advanced, which is what a program for people needs.
///
/// Thread safety: all members may be called concurrently.
class STRATOS_EXPORT ManualClock final : public Clock {
 public:
  enum class Mode { Frozen, Running };

  /// Starts at 2026-01-01T00:00:00Z when frozen, and now when running.
  explicit ManualClock(Mode mode = Mode::Frozen)
      : running_(mode == Mode::Running), value_(running_ ? 0 : kDefaultStart) {}
  /// A frozen clock that shows `start`.
  explicit ManualClock(TimePoint start)
      : running_(false), value_(start.time_since_epoch().count()) {}

  [[nodiscard]] TimePoint now() const override {
    return TimePoint{std::chrono::milliseconds{value_.load() + systemPart()}};
  }

  void set(TimePoint time) { value_.store(time.time_since_epoch().count() - systemPart()); }
  void advance(std::chrono::milliseconds by) { value_.fetch_add(by.count()); }

 private:
  static constexpr std::int64_t kDefaultStart = 1'767'225'600'000;

  [[nodiscard]] std::int64_t systemPart() const {
    return running_ ? SystemClock{}.now().time_since_epoch().count() : 0;
  }

  const bool running_;
  std::atomic<std::int64_t> value_;
};

}  // namespace stratos::testing
