#pragma once

#include <string>
#include <string_view>

#include "stratos/base/export.hpp"

namespace stratos::crypto {

/// Raw digests (OpenSSL). SHA-1 serves names on the wire only (endpoint GUIDs, the cookie's
/// suffix).
[[nodiscard]] STRATOS_EXPORT std::string sha1(std::string_view data);
[[nodiscard]] STRATOS_EXPORT std::string sha256(std::string_view data);
/// HMAC-SHA-256 (RFC 2104), 32 raw bytes.
[[nodiscard]] STRATOS_EXPORT std::string hmacSha256(std::string_view key, std::string_view data);

}  // namespace stratos::crypto
