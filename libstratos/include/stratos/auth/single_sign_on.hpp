#pragma once

#include <string>

#include "stratos/auth/login_service.hpp"
#include "stratos/base/deadline.hpp"
#include "stratos/base/export.hpp"
#include "stratos/base/ids.hpp"
#include "stratos/base/secret.hpp"

namespace stratos::auth {

/// What binds one authorization request to its answer. All random values are made anew for each
/// flow and stay with the browser that began it.
struct SsoFlow {
  std::string redirectUri;  ///< The console's callback, byte for byte the same in both steps.
  std::string state;        ///< Returned by the provider (RFC 6749 section 10.12).
  std::string nonce;        ///< Returned inside the ID token (OpenID Connect Core section 15.5.2).
  Secret codeVerifier;      ///< PKCE (RFC 7636): 43 to 128 unreserved characters.
};

/// Sign-in at an authorization server by the authorization code grant with PKCE. Implementations
/// must be callable from any thread. All members throw Error(Unavailable) when the server or the
/// database cannot be asked.
class STRATOS_EXPORT SingleSignOn {
 public:
  virtual ~SingleSignOn() = default;
  /// Where to send the browser.
  [[nodiscard]] virtual std::string authorizeUrl(const SsoFlow& flow, Deadline deadline) = 0;
  /// Redeems `code` and stores the user's tokens, as LoginService::login() does. `issuer` is the
  /// `iss` parameter of the answer (RFC 9207); empty when there was none.
  [[nodiscard]] virtual LoginResult redeem(const Secret& code, const std::string& issuer,
                                           const SsoFlow& flow, Deadline deadline) = 0;
  /// Where to send the browser to end its session at the server, which then leads to `returnTo`.
  /// `user` is the user who signs out, null when unknown. Empty when the server offers none.
  [[nodiscard]] virtual std::string logoutUrl(const std::string& returnTo, const UserId* user,
                                              Deadline deadline) = 0;
};

}  // namespace stratos::auth
