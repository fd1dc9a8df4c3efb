#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "stratos/auth/oidc_options.hpp"
#include "stratos/auth/single_sign_on.hpp"
#include "stratos/auth/uaa_client.hpp"
#include "stratos/base/clock.hpp"
#include "stratos/base/deadline.hpp"
#include "stratos/base/export.hpp"
#include "stratos/base/secret.hpp"
#include "stratos/http/transport.hpp"

namespace stratos::auth {

/// What a provider says of itself (OpenID Connect Discovery 1.0 section 3). A value.
struct STRATOS_EXPORT OidcMetadata {
  std::string issuer;
  std::string authorizationEndpoint;
  std::string tokenEndpoint;
  std::string keysUrl;
  std::string userInfoEndpoint;    ///< May be empty.
  std::string endSessionEndpoint;  ///< May be empty.
  std::vector<std::string> tokenAuthMethods;
  std::vector<std::string> signatureAlgorithms;  ///< Of ID tokens.
  bool sendsIssuer = false;                      ///< Answers carry `iss` (RFC 9207).
};

/// The answer to a granted token request.
struct STRATOS_EXPORT OidcTokens {
  Secret accessToken;
  Secret refreshToken;  ///< Empty when there was none.
  Secret idToken;       ///< Empty when there was none.
  std::int64_t expiresIn = 0;
};

struct STRATOS_EXPORT OidcGrant {
  GrantStatus status = GrantStatus::Unavailable;
  OidcTokens tokens;   ///< Only when granted.
  std::string detail;  ///< For the log; holds no secret.
};

/// Talks to one OpenID Connect provider. The discovery document is kept for an hour and used on
/// while the provider is away.
///
/// Thread safety: all members may be called concurrently. The collaborators must outlive it.
class STRATOS_EXPORT OidcClient {
 public:
  /// Throws Error(InvalidArgument) that names the setting which cannot work.
  OidcClient(http::Transport& transport, const Clock& clock, OidcOptions options);
  ~OidcClient();
  OidcClient(const OidcClient&) = delete;
  OidcClient& operator=(const OidcClient&) = delete;

  [[nodiscard]] const OidcOptions& options() const noexcept;
  /// Throws Error(Unavailable) that says what is wrong with the provider.
  [[nodiscard]] std::shared_ptr<const OidcMetadata> metadata(Deadline deadline);
  /// The authorization request (OpenID Connect Core 1.0 section 3.1.2.1, RFC 7636). Throws as
  /// metadata().
  [[nodiscard]] std::string authorizeUrl(const SsoFlow& flow, Deadline deadline);
  [[nodiscard]] OidcGrant redeem(const Secret& code, const SsoFlow& flow, Deadline deadline);
  [[nodiscard]] OidcGrant refresh(const Secret& refreshToken, Deadline deadline);
  /// The claims of the UserInfo endpoint as JSON; empty when they cannot be had.
  [[nodiscard]] std::optional<std::string> userInfo(const Secret& accessToken, Deadline deadline);
  /// RP-initiated logout; empty when the provider has none. `returnTo` may end in `?state=x`, which
  /// travels as the parameter that it is.
  [[nodiscard]] std::string endSessionUrl(const std::string& returnTo, const Secret& idToken,
                                          Deadline deadline);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stratos::auth
