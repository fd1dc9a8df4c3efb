#pragma once

#include <algorithm>
#include <chrono>

namespace stratos {

/// The moment after which a wait gives up, on the steady clock. A value; copy it freely.
class Deadline {
 public:
  using Steady = std::chrono::steady_clock;

  /// Never passes.
  [[nodiscard]] static Deadline never() noexcept { return Deadline{Steady::time_point::max()}; }
  /// Passes `wait` from now.
  [[nodiscard]] static Deadline after(std::chrono::milliseconds wait) noexcept {
    return Deadline{Steady::now() + wait};
  }
  /// Like after(), where zero means never: the convention of the time-out settings.
  [[nodiscard]] static Deadline afterOrNever(std::chrono::milliseconds wait) noexcept {
    return wait.count() <= 0 ? never() : after(wait);
  }

  [[nodiscard]] bool isNever() const noexcept { return at_ == Steady::time_point::max(); }
  [[nodiscard]] bool hasPassed() const noexcept { return !isNever() && Steady::now() >= at_; }
  [[nodiscard]] Steady::time_point at() const noexcept { return at_; }

  /// What is left, at least zero and at most `cap`.
  [[nodiscard]] std::chrono::milliseconds remaining(
      std::chrono::milliseconds cap = std::chrono::hours{24}) const noexcept {
    if (isNever()) return cap;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(at_ - Steady::now());
    return std::clamp(left, std::chrono::milliseconds{0}, cap);
  }

  /// The earlier of two deadlines.
  [[nodiscard]] friend Deadline earliest(Deadline a, Deadline b) noexcept {
    return a.at_ < b.at_ ? a : b;
  }

 private:
  explicit Deadline(Steady::time_point at) noexcept : at_(at) {}
  Steady::time_point at_;
};

}  // namespace stratos
