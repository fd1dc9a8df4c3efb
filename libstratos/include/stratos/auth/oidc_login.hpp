#pragma once

#include <memory>
#include <string>

#include "stratos/auth/jwt_verifier.hpp"
#include "stratos/auth/login_service.hpp"
#include "stratos/auth/oidc_options.hpp"
#include "stratos/auth/single_sign_on.hpp"
#include "stratos/base/clock.hpp"
#include "stratos/base/export.hpp"
#include "stratos/base/log.hpp"
#include "stratos/base/random.hpp"
#include "stratos/http/transport.hpp"
#include "stratos/store/token_lease_store.hpp"
#include "stratos/store/token_store.hpp"

namespace stratos::auth {

/// What OidcLogin works with. All must outlive it.
struct OidcCollaborators {
  http::Transport& transport;
  JwtVerifier& verifier;
  store::TokenStore& tokens;
  store::TokenLeaseStore* leases;  ///< May be null where no other process uses the database.
  const Clock& clock;
  Random& random;
  LogSink& log;
};

/// Sign-in with any OpenID Connect provider: authorization code with PKCE and nonce, roles from
/// verified claims.
///
/// A user's row in the token table has auth type `OIDC`, the access token, and in its second
/// encrypted column what else belongs to the sign-in (refresh token, ID token, name, e-mail
/// address, groups) as JSON. So every replica computes the same roles, and nobody who can only
/// write to the database can add a group. Claims are read anew at each renewal.
///
/// A session goes on while the provider is away; it ends when the provider refuses to renew, when
/// the claims do not allow the user in any more, and, without a refresh token, when the access
/// token expires.
/// Thread safety: all members may be called concurrently.
class STRATOS_EXPORT OidcLogin final : public LoginService, public SingleSignOn {
 public:
  /// `adminScope`: what administrators hold. Throws Error(InvalidArgument) that names the setting
  /// which cannot work. Does not ask the provider.
  OidcLogin(OidcCollaborators collaborators, OidcOptions options, std::string adminScope);
  ~OidcLogin() override;

  /// Always refused: passwords are the provider's business.
  [[nodiscard]] LoginResult login(const std::string& userName, const Secret& password,
                                  Deadline deadline) override;
  [[nodiscard]] std::optional<ConnectedUser> findUser(const UserId& user) override;
  [[nodiscard]] VerifyResult verify(const UserId& user, std::int64_t tokenExpiry,
                                    Deadline deadline) override;

  [[nodiscard]] std::string authorizeUrl(const SsoFlow& flow, Deadline deadline) override;
  [[nodiscard]] LoginResult redeem(const Secret& code, const std::string& issuer,
                                   const SsoFlow& flow, Deadline deadline) override;
  [[nodiscard]] std::string logoutUrl(const std::string& returnTo, const UserId* user,
                                      Deadline deadline) override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// The id of a provider's user: the first half of the SHA-256 of `issuer` NUL `subject` as a UUID
/// of version 8 (RFC 9562 section 5.8). Stable, different for every issuer, and never equal to a
/// UAA's or a local user's, which are of version 4.
[[nodiscard]] STRATOS_EXPORT UserId oidcUserId(const std::string& issuer,
                                               const std::string& subject);

}  // namespace stratos::auth
