#pragma once

#include <string>
#include <vector>

#include "stratos/base/export.hpp"
#include "stratos/base/secret.hpp"
#include "stratos/http/transport.hpp"

namespace stratos::auth {

/// An OpenID Connect provider, the client that we are to it, and what its claims mean here. A
/// value.
struct STRATOS_EXPORT OidcOptions {
  /// Issuer URL as the provider writes it, byte for byte; the discovery document is found below it
  /// (OpenID Connect Discovery 1.0 sections 4.1 and 4.3). https, except on loopback.
  std::string issuer;
  std::string clientId;
  Secret clientSecret;  ///< Empty for a public client, which PKCE alone protects.
  /// Most providers want `offline_access` before they give a refresh token.
  std::vector<std::string> scopes{"openid", "profile", "email"};
  http::TrustPolicy trust;
  /// The `prompt` parameter of the authorization request; empty: not sent.
  std::string prompt;

  /// The claim that is shown as the user's name; then `preferred_username`, `email`, `sub`. Never
  /// used to recognise a user: that is the issuer and `sub` alone.
  std::string userNameClaim = "preferred_username";
  /// The claim that lists groups: an array of strings, or one string. A path with dots leads into
  /// objects (`realm_access.roles`); a claim whose own name has dots is found first.
  std::string groupsClaim = "groups";
  /// Members of any of these groups administer the console. Compared exactly; empty: nobody does.
  std::vector<std::string> adminGroups;
  /// When not empty, only members of one of these or of an administrators' group may sign in.
  std::vector<std::string> requiredGroups;
  /// When not empty, only users with an e-mail address in one of these domains which the provider
  /// has verified (`email_verified`) may sign in.
  std::vector<std::string> emailDomains;
};

}  // namespace stratos::auth
