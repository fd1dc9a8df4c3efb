#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "stratos/base/clock.hpp"
#include "stratos/base/export.hpp"

namespace stratos::http {

/// A Set-Cookie field (RFC 6265 section 4.1, SameSite from RFC 6265bis).
struct STRATOS_EXPORT SetCookie {
  std::string name;
  std::string value;
  std::string path = "/";
  std::string domain;  ///< Empty: host-only.
  std::optional<TimePoint> expires;
  std::optional<std::chrono::seconds> maxAge;
  bool secure = true;
  bool httpOnly = true;
  std::string sameSite = "Lax";

  [[nodiscard]] std::string str() const;
};

/// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 section 5.6.7).
[[nodiscard]] STRATOS_EXPORT std::string formatHttpDate(TimePoint t);
/// The inverse, for the preferred form only; empty when it is something else.
[[nodiscard]] STRATOS_EXPORT std::optional<TimePoint> parseHttpDate(std::string_view text);

}  // namespace stratos::http
