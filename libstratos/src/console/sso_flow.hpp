#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "stratos/auth/single_sign_on.hpp"
#include "stratos/base/clock.hpp"
#include "stratos/base/ids.hpp"
#include "stratos/base/random.hpp"
#include "stratos/base/secret.hpp"
#include "stratos/base/url.hpp"
#include "stratos/console/options.hpp"
#include "stratos/http/cookie.hpp"
#include "stratos/http/message.hpp"

namespace stratos::console {

/// A sign-in by redirect that a browser has begun.
struct SsoTicket {
  std::string returnTo;  ///< Where the front end wants the browser back.
  /// The endpoint that the user connects to; empty for a sign-in to the console.
  EndpointId endpoint = {};
  UserId user = {};  ///< Who connects.
  auth::SsoFlow flow;
  TimePoint expiresAt{};
};

/// Binds sign-ins by redirect to the browser that began them. A ticket travels in a cookie of its
/// own, authenticated with a key that is derived from the session secret: nothing is kept here, so
/// any replica can end what another one began, and two tabs do not disturb each other.
/// Safe from any thread.
class SsoTickets {
 public:
  SsoTickets(const Secret& sessionSecret, const Clock& clock, Random& random);

  [[nodiscard]] SsoTicket begin(const std::string& returnTo, const std::string& redirectUri);
  [[nodiscard]] http::SetCookie cookieFor(const SsoTicket& ticket) const;
  /// The ticket of the flow named `state` in the cookies of that browser; empty when it has none,
  /// or one that is not ours, was changed, or is too old.
  [[nodiscard]] std::optional<SsoTicket> find(const http::Request& request,
                                              std::string_view state) const;
  [[nodiscard]] http::SetCookie clearingCookie(std::string_view state) const;

 private:
  std::string key_;
  const Clock& clock_;
  Random& random_;
};

/// The URL that a sign-in may return to; empty when `text` is not allowed. With an empty
/// `allowList` only pages of `ownOrigin` are; otherwise scheme, host and port of an entry must be
/// the same, and the path, too, unless the entry's path is the text `/` and a star.
[[nodiscard]] std::optional<Url> allowedReturnUrl(
    std::string_view text, const std::string& allowList,
    bool (*isOwnOrigin)(const http::Request&, std::string_view), const http::Request& request);

/// Whether `option` is one of the words of SSO_OPTIONS.
[[nodiscard]] bool hasSsoOption(const SsoOptions& options, std::string_view option);

}  // namespace stratos::console
