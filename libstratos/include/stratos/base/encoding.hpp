#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "stratos/base/export.hpp"

namespace stratos {

/// Lower-case hexadecimal.
[[nodiscard]] STRATOS_EXPORT std::string toHex(std::string_view bytes);
/// Either case; empty when `text` has an odd length or another character.
[[nodiscard]] STRATOS_EXPORT std::optional<std::string> fromHex(std::string_view text);

/// Base64 with padding (RFC 4648 section 4).
[[nodiscard]] STRATOS_EXPORT std::string toBase64(std::string_view bytes);
/// Base64url without padding (RFC 4648 section 5).
[[nodiscard]] STRATOS_EXPORT std::string toBase64Url(std::string_view bytes);
/// Accepts both alphabets, with or without padding; empty when `text` is neither.
[[nodiscard]] STRATOS_EXPORT std::optional<std::string> fromBase64(std::string_view text);

/// Percent-encodes everything but the unreserved characters of RFC 3986 section 2.3.
[[nodiscard]] STRATOS_EXPORT std::string percentEncode(std::string_view text);
/// Decodes %XX once; empty when an escape is broken. '+' stays as it is.
[[nodiscard]] STRATOS_EXPORT std::optional<std::string> percentDecode(std::string_view text);

/// Name and value pairs in their order; names may repeat.
using FormFields = std::vector<std::pair<std::string, std::string>>;

/// application/x-www-form-urlencoded (WHATWG URL section 5): a space becomes '+'.
[[nodiscard]] STRATOS_EXPORT std::string encodeForm(const FormFields& fields);
/// Encodes one value as encodeForm() does.
[[nodiscard]] STRATOS_EXPORT std::string encodeFormValue(std::string_view value);
/// Parses such a body or a query string; empty when an escape is broken.
[[nodiscard]] STRATOS_EXPORT std::optional<FormFields> decodeForm(std::string_view text);

/// True when `text` is well-formed UTF-8 (no overlong forms, no surrogates).
[[nodiscard]] STRATOS_EXPORT bool isValidUtf8(std::string_view text) noexcept;
/// `text` with each malformed byte replaced by U+FFFD.
[[nodiscard]] STRATOS_EXPORT std::string toValidUtf8(std::string_view text);

/// A copy in ASCII lower case.
[[nodiscard]] STRATOS_EXPORT std::string toLower(std::string_view text);
/// ASCII case-insensitive equality.
[[nodiscard]] inline bool equalsIgnoreCase(std::string_view a, std::string_view b) noexcept {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i] && lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}
/// Without leading and trailing spaces, tabs, CR and LF.
[[nodiscard]] STRATOS_EXPORT std::string_view trim(std::string_view text) noexcept;
/// The parts between `separator`s, untrimmed; an empty text gives one empty part.
[[nodiscard]] STRATOS_EXPORT std::vector<std::string> split(std::string_view text, char separator);

}  // namespace stratos
