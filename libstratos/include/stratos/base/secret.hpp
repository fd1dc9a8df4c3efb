#pragma once

#include <iosfwd>
#include <string>
#include <string_view>
#include <utility>

#include "stratos/base/export.hpp"

namespace stratos {

/// A string that must not be shown: it prints as "***" and wipes its memory when it dies.
///
/// Thread safety: like std::string.
class STRATOS_EXPORT Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}
  Secret(const Secret&) = default;
  Secret(Secret&& other) noexcept;
  Secret& operator=(const Secret& other);
  Secret& operator=(Secret&& other) noexcept;
  ~Secret();

  /// The value itself. Name the reason where you call it: to send it, to encrypt it, to hash it.
  [[nodiscard]] const std::string& reveal() const noexcept { return value_; }
  [[nodiscard]] bool empty() const noexcept { return value_.empty(); }

  /// Compares in time that depends on the lengths only.
  friend STRATOS_EXPORT bool operator==(const Secret& a, const Secret& b) noexcept;

 private:
  void wipe() noexcept;
  void overwrite() noexcept;
  std::string value_;
};

/// Prints "***".
STRATOS_EXPORT std::ostream& operator<<(std::ostream& out, const Secret& secret);

/// True when both are equal; the time taken depends on the lengths only.
[[nodiscard]] STRATOS_EXPORT bool constantTimeEquals(std::string_view a,
                                                     std::string_view b) noexcept;

}  // namespace stratos
