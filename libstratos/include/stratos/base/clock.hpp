#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "stratos/base/export.hpp"

namespace stratos {

/// Wall clock time as the library keeps it.
using TimePoint = std::chrono::sys_time<std::chrono::milliseconds>;

/// The time of day as an injected collaborator, so that expiry can be tested without waiting.
/// Implementations must be callable from any thread.
class STRATOS_EXPORT Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual TimePoint now() const = 0;
};

/// The system's clock.
class STRATOS_EXPORT SystemClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const override;
};

/// Whole seconds since 1970 (UTC), the unit of tokens, cookies and headers.
[[nodiscard]] inline std::int64_t toUnixSeconds(TimePoint t) noexcept {
  return std::chrono::floor<std::chrono::seconds>(t).time_since_epoch().count();
}

/// The inverse of toUnixSeconds().
[[nodiscard]] inline TimePoint fromUnixSeconds(std::int64_t seconds) noexcept {
  return TimePoint{std::chrono::seconds{seconds}};
}

/// `2026-11-23T08:15:00Z`, whole seconds (RFC 3339).
[[nodiscard]] STRATOS_EXPORT std::string toRfc3339(TimePoint t);

}  // namespace stratos
