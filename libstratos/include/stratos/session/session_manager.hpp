#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "stratos/base/clock.hpp"
#include "stratos/base/export.hpp"
#include "stratos/base/ids.hpp"
#include "stratos/base/random.hpp"
#include "stratos/base/secret.hpp"
#include "stratos/crypto/digest.hpp"
#include "stratos/http/cookie.hpp"
#include "stratos/store/session_store.hpp"

namespace stratos::session {

struct SessionOptions {
  /// Key of the cookie's HMAC. Never empty.
  Secret secret;
  /// Life of a session after the last verify; at least a minute.
  std::chrono::minutes lifetime{20};
  /// Longest life of a session however often it is verified; zero for no such limit.
  std::chrono::minutes maxAge{0};
  /// Domain of the cookie; empty or "-" for none.
  std::string cookieDomain{};
};

/// A session that is in force.
struct Session {
  UserId user;
  std::int64_t tokenExpiry = 0;
  Secret xsrfToken;
  TimePoint createdAt{};
  TimePoint expiresAt{};
  std::string publicId;  ///< See SessionSummary.
  Secret cookieValue;

  /// Compares in constant time; an empty token never matches.
  [[nodiscard]] bool xsrfMatches(std::string_view presented) const noexcept;
};

/// Where a session was begun.
struct SessionOrigin {
  std::string address;
  std::string userAgent;  ///< Kept up to 200 bytes.
};

/// A session as its user sees it in a list.
struct SessionSummary {
  std::string publicId;  ///< Names it; tells nothing about its cookie.
  TimePoint createdAt{};
  TimePoint lastSeenAt{};  ///< Sign-in or last verify.
  TimePoint expiresAt{};
  SessionOrigin origin;
};

/// Makes, finds and ends sessions.
///
/// The cookie's value is 256 random bits and an HMAC-SHA-256 of them and of the cookie's name, so
/// garbage never reaches the database; the database holds only a hash of those bits.
/// Thread safety: all members may be called concurrently. The collaborators must outlive it.
class STRATOS_EXPORT SessionManager {
 public:
  /// Throws Error(InvalidArgument) for an empty secret or a lifetime below a minute.
  SessionManager(store::SessionStore& store, const Clock& clock, Random& random,
                 SessionOptions options);

  /// Starts a session under a new id.
  [[nodiscard]] Session create(const UserId& user, std::int64_t tokenExpiry,
                               const SessionOrigin& origin = {});
  /// The session of a cookie value; empty when the value was not made by us, or the session is
  /// unknown or expired. Throws Error(Unavailable) when the store cannot be asked, which is another
  /// answer than "none".
  [[nodiscard]] std::optional<Session> find(std::string_view cookieValue);
  /// Moves the expiry to a full lifetime from now and writes the session. False when it is gone or
  /// has expired.
  [[nodiscard]] bool renew(Session& session);
  /// Ends the session of that cookie value, if there is one.
  void end(std::string_view cookieValue);
  /// The user's sessions that are in force, latest first.
  [[nodiscard]] std::vector<SessionSummary> list(const UserId& user);
  /// Ends one of the user's own sessions; false when there is none of that name.
  bool end(const UserId& user, const std::string& publicId);
  /// Ends every session of the user; returns how many.
  std::int64_t endAll(const UserId& user);
  /// Ends every session of the user of `current` but that one; returns how many.
  std::int64_t endOthers(const Session& current);
  /// Deletes expired sessions; returns how many.
  std::int64_t sweep();

  /// "console-session", or with a suffix when there is a cookie domain.
  [[nodiscard]] const std::string& cookieName() const noexcept { return cookieName_; }
  /// The domain in force; empty for none.
  [[nodiscard]] const std::string& cookieDomain() const noexcept { return cookieDomain_; }
  [[nodiscard]] http::SetCookie cookieFor(const Session& session) const;
  /// A cookie that removes the session's one from the browser.
  [[nodiscard]] http::SetCookie clearingCookie() const;

  /// X-Cap-Session-Expires-On: the expiry in Unix seconds, on the browser's clock when it told its
  /// time in X-Cap-Request-Date.
  [[nodiscard]] std::int64_t announcedExpiry(const Session& session,
                                             std::string_view requestDate) const;

 private:
  [[nodiscard]] std::optional<std::string> idHashOf(std::string_view cookieValue) const;
  [[nodiscard]] std::string sign(std::string_view id) const;
  /// A lifetime from now, but not beyond the greatest age.
  [[nodiscard]] TimePoint expiryFor(TimePoint createdAt) const;

  store::SessionStore& store_;
  const Clock& clock_;
  Random& random_;
  SessionOptions options_;
  crypto::HmacSha256 hmac_;
  std::string cookieName_;
  std::string cookieDomain_;
  std::string signedPrefix_;  ///< What stands in front of the id when it is signed.
};

}  // namespace stratos::session
