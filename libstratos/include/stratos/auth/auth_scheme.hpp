#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "stratos/auth/connected_user.hpp"
#include "stratos/auth/uaa_client.hpp"
#include "stratos/base/deadline.hpp"
#include "stratos/base/export.hpp"
#include "stratos/http/transport.hpp"
#include "stratos/store/endpoint_store.hpp"
#include "stratos/store/token_store.hpp"

namespace stratos::auth {

/// What authenticates one call to an endpoint.
struct Credential {
  std::string authorization;            ///< Value of the Authorization field; empty: none is sent.
  http::ClientIdentity clientIdentity;  ///< For the TLS handshake; empty: none is shown.
};

/// How the tokens of one `auth_type` authenticate calls, whom they stand for, and how they are
/// renewed. Implementations must be callable from any thread.
class STRATOS_EXPORT AuthScheme {
 public:
  virtual ~AuthScheme() = default;

  /// What to send with a call. Does no I/O. Throws Error(Internal), without the value, when what is
  /// stored is not what its auth type says.
  [[nodiscard]] virtual Credential credential(const store::TokenRecord& token) const = 0;

  /// The user that the token stands for, as the front end shows it; `admin` is the caller's matter.
  /// The default reads the claims of a JWT. Empty when the token says nothing about its user.
  [[nodiscard]] virtual std::optional<ConnectedUser> user(const store::TokenRecord& token) const;

  /// Whether renew() can be asked for such a token. Others are handed out whatever their expiry.
  [[nodiscard]] virtual bool isRenewable(const store::TokenRecord& token) const;
  /// Makes a newer token for the row `token` of `endpoint`: asks its authorization server, or signs
  /// one. Called under the token provider's single flight and lease, so never twice at a time for
  /// one row. An empty refresh token in the answer keeps the stored one. Never throws for what a
  /// server does. The default refuses.
  [[nodiscard]] virtual GrantResult renew(const store::EndpointRecord& endpoint,
                                          const store::TokenRecord& token, Deadline deadline) const;
};

/// The UAA that renews the tokens of an endpoint, with the endpoint's own client and trust.
[[nodiscard]] STRATOS_EXPORT UaaTarget uaaOf(const store::EndpointRecord& endpoint);

/// The value of an Authorization field: `scheme` (lower case, as endpoints have always got it), a
/// space and `credentials`. Throws Error(Internal), which names the row of `token` but no value,
/// when it would hold a control character.
[[nodiscard]] STRATOS_EXPORT std::string authorizationValue(std::string_view scheme,
                                                            std::string_view credentials,
                                                            const store::TokenRecord& token);

/// The schemes by the `auth_type` of a token. OAuth2, HttpBasic, Bearer, Token and none are built
/// in; extensions add theirs. The kinds that databases may hold although their extension is not
/// attached are known too: those that are plain bearer tokens are sent and never renewed, those
/// that hold a private key are refused. Any other auth type counts as OAuth2.
///
/// Thread safety: const members may be called concurrently; add() before that only.
class STRATOS_EXPORT AuthSchemes {
 public:
  /// `uaa` renews OAuth2 tokens and must outlive this.
  explicit AuthSchemes(UaaClient& uaa);
  ~AuthSchemes();
  AuthSchemes(const AuthSchemes&) = delete;
  AuthSchemes& operator=(const AuthSchemes&) = delete;

  /// Adds or replaces the scheme of `authType`.
  void add(std::string authType, std::unique_ptr<AuthScheme> scheme);

  [[nodiscard]] const AuthScheme& of(const store::TokenRecord& token) const;
  /// Whether a token counts as an OAuth2 token of a UAA.
  [[nodiscard]] bool isOAuth2(const store::TokenRecord& token) const;

  /// The user that an endpoint token stands for, as the front end shows it. A token that says
  /// nothing about its user gives one named after the kind of token, so that the endpoint does not
  /// look disconnected. Shared tokens give the shared user.
  [[nodiscard]] ConnectedUser userOf(const store::TokenRecord& token,
                                     std::string_view endpointType) const;

 private:
  std::unique_ptr<AuthScheme> oauth2_;
  std::map<std::string, std::unique_ptr<AuthScheme>, std::less<>> schemes_;
};

}  // namespace stratos::auth
