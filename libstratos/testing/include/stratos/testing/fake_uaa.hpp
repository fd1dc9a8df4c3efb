#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "stratos/base/clock.hpp"
#include "stratos/testing/fake_upstream.hpp"

namespace stratos::testing {

/// What becomes of the refresh token when it is redeemed.
enum class RefreshMode {
  Keep,        ///< The same token again (UAA's default).
  Rotate,      ///< A new one each time; the old one still works.
  RotateOnce,  ///< A new one each time; the old one is revoked at once.
  Omit,        ///< The answer has no refresh token; the old one still works.
};

struct UaaUser {
  std::string name;
  std::string password;
  std::vector<std::string> scopes;
  std::string guid = {};   ///< Derived from the name when empty.
  std::string email = {};  ///< `name`@example.com when empty.
  std::string givenName = {};
  std::string familyName = {};
  int version = 0;  ///< Of the SCIM resource: counts its changes.
};

struct UaaClientRegistration {
  std::string id;
  std::string secret;
  std::vector<std::string> grants;
  std::vector<std::string> scopes = {};        ///< Empty: all that the user has.
  std::vector<std::string> redirectUris = {};  ///< Prefixes; empty: any.
};

struct FakeUaaOptions {
  FakeUpstreamOptions server = {};
  RefreshMode refreshMode = RefreshMode::Keep;
  bool opaqueAccessTokens = false;
  bool opaqueRefreshTokens = false;
  std::chrono::seconds accessTokenValidity{600};
  std::chrono::seconds refreshTokenValidity{std::chrono::hours{24 * 30}};
  std::chrono::seconds codeValidity{300};
};

struct UaaCounters {
  std::uint64_t logins = 0;  ///< Granted with password, passcode or code.
  std::uint64_t refusedLogins = 0;
  std::uint64_t refreshes = 0;  ///< Granted.
  std::uint64_t refusedRefreshes = 0;
  std::uint64_t refusedClients = 0;
  std::uint64_t clientCredentials = 0;
  std::uint64_t introspections = 0;
  std::uint64_t keyFetches = 0;
};

/// What the UAA knows of an access token that it issued.
struct UaaTokenInfo {
  std::string jti;
  std::string userId;  ///< Empty for client credentials.
  std::string userName;
  std::string clientId;
  std::vector<std::string> scopes;
  std::int64_t expiresAt = 0;

  [[nodiscard]] bool hasScope(std::string_view scope) const;
};

/// Cloud Foundry's UAA: token grants, keys, introspection, revocation. Answers and errors have the
/// shapes of the real one; time is the injected clock's.
///
/// Thread safety: all members may be called concurrently.
/// Lifetime: `clock` must outlive it.
class STRATOS_EXPORT FakeUaa {
 public:
  explicit FakeUaa(const Clock& clock, FakeUaaOptions options = {});
  ~FakeUaa();
  FakeUaa(const FakeUaa&) = delete;
  FakeUaa& operator=(const FakeUaa&) = delete;

  /// The listener: faults, request log.
  [[nodiscard]] FakeUpstream& server() noexcept;
  [[nodiscard]] const std::string& url() const noexcept;

  void addUser(UaaUser user);
  void addClient(UaaClientRegistration client);
  void setRefreshMode(RefreshMode mode);
  void setOpaqueAccessTokens(bool on);
  void setAccessTokenValidity(std::chrono::seconds validity);
  /// Signs with a new key from now on. `keepOld` goes on publishing the old ones.
  void rotateSigningKey(bool keepOld = true);

  /// Issues a one-time passcode, as `/passcode` does for a signed-in user.
  [[nodiscard]] std::string issuePasscode(const std::string& userName);
  /// The token as the Cloud Controller sees it: empty when it was not issued here, has expired or
  /// was revoked.
  [[nodiscard]] std::optional<UaaTokenInfo> findAccessToken(const std::string& token) const;
  void revokeAccessTokens();
  void revokeRefreshTokens();
  /// Lets every access token issued so far expire now.
  void expireAccessTokens();

  [[nodiscard]] UaaCounters counters() const;
  /// The GUID of a user. Throws Error(NotFound).
  [[nodiscard]] std::string userGuid(const std::string& userName) const;
  /// The name of the user with that GUID.
  [[nodiscard]] std::optional<std::string> findUserName(const std::string& guid) const;
  [[nodiscard]] std::optional<std::string> findUserGuid(const std::string& userName) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stratos::testing
