#pragma once

#include <string>
#include <vector>

#include "stratos/base/export.hpp"
#include "stratos/base/secret.hpp"
#include "stratos/http/transport.hpp"

namespace stratos::auth {

/// An OpenID Connect provider and the client that we are to it. A value.
struct STRATOS_EXPORT OidcOptions {
  /// Issuer URL; the discovery document is found below it (OpenID Connect Discovery 1.0, 4.1).
  std::string issuer;
  std::string clientId;
  Secret clientSecret;  ///< Empty for a public client.
  std::vector<std::string> scopes{"openid", "profile", "email"};
  http::TrustPolicy trust;
};

}  // namespace stratos::auth
