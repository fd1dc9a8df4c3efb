#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "stratos/base/export.hpp"

namespace stratos::auth {

/// The claims of a UAA access token that the console uses.
struct JwtClaims {
  std::string userId;
  std::string userName;
  std::string issuer;
  std::string clientId;
  std::int64_t expiry = 0;  ///< `exp`, Unix seconds; 0 when absent.
  std::vector<std::string> scopes;
};

/// Reads the payload of a JWT (RFC 7519), a leading "bearer " tolerated. Empty when the text is no
/// JWT. The signature is not checked: use it for tokens that came straight from their issuer.
[[nodiscard]] STRATOS_EXPORT std::optional<JwtClaims> decodeJwt(std::string_view token);

}  // namespace stratos::auth
