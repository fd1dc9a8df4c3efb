#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "stratos/base/clock.hpp"
#include "stratos/base/deadline.hpp"
#include "stratos/base/export.hpp"
#include "stratos/base/secret.hpp"
#include "stratos/http/transport.hpp"

namespace stratos::auth {

/// An authorization server and the client that we are to it.
struct UaaTarget {
  std::string baseUrl;  ///< "/oauth/token" is appended; a trailing slash does not matter.
  std::string clientId;
  Secret clientSecret;  ///< May be empty ("cf").
  http::TrustPolicy trust;
};

/// The answer to a granted token request (RFC 6749 section 5.1).
struct TokenGrant {
  Secret accessToken;
  Secret refreshToken;         ///< Empty when the server sent none.
  std::int64_t expiresIn = 0;  ///< Seconds; 0 when not said.
  std::vector<std::string> scopes;
};

/// When the granted token ends, in Unix seconds: what the token itself says if it is a JWT, else
/// what the server said, else an assumption. Never later than the year 9999.
[[nodiscard]] STRATOS_EXPORT std::int64_t expiryOf(const TokenGrant& grant, TimePoint now);

enum class GrantStatus {
  Granted,
  Refused,        ///< The credentials or the refresh token were refused: ask the user.
  ClientRefused,  ///< The server does not accept this client: a configuration error.
  Unavailable,    ///< Unreachable, busy, broken or rate limited: may pass, nothing was decided.
};

/// What became of a token request. A refused login is ordinary, so it is a value.
struct GrantResult {
  GrantStatus status = GrantStatus::Unavailable;
  TokenGrant grant;         ///< Only when granted.
  int httpStatus = 0;       ///< 0 when there was no answer.
  std::string description;  ///< The server's error_description, for the user; without secrets.
  std::string detail;       ///< For the log; holds no secret.
};

/// Talks to the token endpoint of a UAA (https://docs.cloudfoundry.org/api/uaa/, RFC 6749).
///
/// Thread safety: all members may be called concurrently. The transport must outlive it.
class STRATOS_EXPORT UaaClient {
 public:
  explicit UaaClient(http::Transport& transport);

  /// Resource owner password grant (RFC 6749 section 4.3).
  [[nodiscard]] GrantResult passwordGrant(const UaaTarget& uaa, const std::string& userName,
                                          const Secret& password, Deadline deadline);
  /// The same grant with a one-time passcode from the UAA's page `/passcode` instead of a password:
  /// for users of an identity provider that takes no passwords here.
  [[nodiscard]] GrantResult passcodeGrant(const UaaTarget& uaa, const Secret& passcode,
                                          Deadline deadline);
  /// Authorization code grant (RFC 6749 section 4.1.3) with PKCE (RFC 7636); `redirectUri` as it
  /// was in the authorization request.
  [[nodiscard]] GrantResult authorizationCodeGrant(const UaaTarget& uaa, const Secret& code,
                                                   const std::string& redirectUri,
                                                   const Secret& codeVerifier, Deadline deadline);
  /// Refresh (RFC 6749 section 6).
  [[nodiscard]] GrantResult refresh(const UaaTarget& uaa, const Secret& refreshToken,
                                    Deadline deadline);
  /// Client credentials (RFC 6749 section 4.4): a token of the target's client itself. A refused
  /// client is ClientRefused.
  [[nodiscard]] GrantResult clientCredentialsGrant(const UaaTarget& uaa, Deadline deadline);

 private:
  enum class Grant { Password, Code, Refresh, Client };
  [[nodiscard]] GrantResult request(const UaaTarget& uaa, Grant kind, const Secret& credential,
                                    const std::string& form, Deadline deadline);
  http::Transport& transport_;
};

}  // namespace stratos::auth
