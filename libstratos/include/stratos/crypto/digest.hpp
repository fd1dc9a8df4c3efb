#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "stratos/base/export.hpp"

namespace stratos::crypto {

/// Raw digests (OpenSSL). SHA-1 serves names on the wire only (endpoint GUIDs, the cookie's
/// suffix).
[[nodiscard]] STRATOS_EXPORT std::string sha1(std::string_view data);
[[nodiscard]] STRATOS_EXPORT std::string sha256(std::string_view data);
/// HMAC-SHA-256 (RFC 2104), 32 raw bytes. For many with one key: HmacSha256.
[[nodiscard]] STRATOS_EXPORT std::string hmacSha256(std::string_view key, std::string_view data);

/// HMAC-SHA-256 with one key, which is prepared once.
/// Thread safety: all members may be called concurrently.
class STRATOS_EXPORT HmacSha256 {
 public:
  explicit HmacSha256(std::string_view key);
  ~HmacSha256();
  HmacSha256(const HmacSha256&) = delete;
  HmacSha256& operator=(const HmacSha256&) = delete;

  /// Of the texts one after the other; 32 raw bytes.
  [[nodiscard]] std::string of(std::string_view data, std::string_view more = {}) const;

 private:
  struct State;
  std::unique_ptr<const State> state_;
};

}  // namespace stratos::crypto
