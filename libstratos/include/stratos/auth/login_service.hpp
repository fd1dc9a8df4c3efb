#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "stratos/auth/connected_user.hpp"
#include "stratos/auth/password_checker.hpp"
#include "stratos/auth/token_provider.hpp"
#include "stratos/auth/uaa_client.hpp"
#include "stratos/base/clock.hpp"
#include "stratos/base/deadline.hpp"
#include "stratos/base/export.hpp"
#include "stratos/base/ids.hpp"
#include "stratos/base/log.hpp"
#include "stratos/base/random.hpp"
#include "stratos/base/secret.hpp"
#include "stratos/store/token_store.hpp"
#include "stratos/store/user_store.hpp"

namespace stratos::auth {

/// The expiry of a login that never ends by itself (local users).
inline constexpr std::int64_t kNeverExpires = INT64_MAX;

/// What became of a sign-in. Wrong credentials are ordinary, so they are a value.
struct LoginResult {
  bool accepted = false;
  std::string refusal;  ///< For the user, when not accepted.
  UserId user;
  std::string account;  ///< The name to show.
  std::int64_t tokenExpiry = 0;
  bool admin = false;
};

/// Whether a session may go on.
struct VerifyResult {
  bool accepted = false;
  std::int64_t tokenExpiry = 0;
  std::string refusal;
};

class UaaTokenCheck;

/// A back end for identities. Implementations must be callable from any thread. All members throw
/// Error(Unavailable) when the database cannot be asked, login() also when the back end cannot.
class STRATOS_EXPORT LoginService {
 public:
  virtual ~LoginService() = default;
  [[nodiscard]] virtual LoginResult login(const std::string& userName, const Secret& password,
                                          Deadline deadline) = 0;
  /// The console user, with roles as of now; empty when unknown.
  [[nodiscard]] virtual std::optional<ConnectedUser> findUser(const UserId& user) = 0;
  /// Checks that the user still exists and renews what has to be renewed. An outage of the back end
  /// is not a refusal.
  [[nodiscard]] virtual VerifyResult verify(const UserId& user, std::int64_t tokenExpiry,
                                            Deadline deadline) = 0;
  /// The user's last session has ended: drops what only sessions needed. Nothing by default.
  virtual void forget(const UserId& user, Deadline deadline);
};

/// Everybody is one fixed administrator (AUTH_ENDPOINT_TYPE=none), for desktops and loopback.
class STRATOS_EXPORT NoLogin final : public LoginService {
 public:
  static constexpr std::string_view kUserGuid = "10000000-1111-2222-3333-444444444444";
  static constexpr std::string_view kUserName = "admin";

  [[nodiscard]] LoginResult login(const std::string& userName, const Secret& password,
                                  Deadline deadline) override;
  [[nodiscard]] std::optional<ConnectedUser> findUser(const UserId& user) override;
  [[nodiscard]] VerifyResult verify(const UserId& user, std::int64_t tokenExpiry,
                                    Deadline deadline) override;
};

struct LocalLoginOptions {
  std::string userScope = "stratos.admin";   ///< Scope that a user needs in order to sign in.
  std::string adminScope = "stratos.admin";  ///< Scope that makes an administrator.
  int hashCost = 12;
  PasswordCheckerOptions passwords = {};
};

/// Sign-in with users of the console's own table.
class STRATOS_EXPORT LocalLogin final : public LoginService {
 public:
  LocalLogin(store::LocalUserStore& users, const Clock& clock, Random& random, LogSink& log,
             LocalLoginOptions options);

  /// A user as createInitialUser() makes it. Throws Error(InvalidArgument) for an empty or too long
  /// password.
  [[nodiscard]] store::LocalUser makeUser(const std::string& name, const Secret& password);
  /// Makes the first user unless the name exists; an existing user is never changed. Returns
  /// whether it was made. Throws Error(InvalidArgument) for an empty or too long password.
  bool createInitialUser(const std::string& name, const Secret& password);

  [[nodiscard]] LoginResult login(const std::string& userName, const Secret& password,
                                  Deadline deadline) override;
  [[nodiscard]] std::optional<ConnectedUser> findUser(const UserId& user) override;
  [[nodiscard]] VerifyResult verify(const UserId& user, std::int64_t tokenExpiry,
                                    Deadline deadline) override;

 private:
  [[nodiscard]] int greatestCost(const std::string& hash);

  store::LocalUserStore& users_;
  const Clock& clock_;
  Random& random_;
  LogSink& log_;
  LocalLoginOptions options_;
  PasswordChecker passwords_;
  /// Of all hashes that were seen; 0 before the first sign-in.
  std::atomic<int> greatestCost_ = 0;
};

/// Sign-in with a UAA by password grant.
class STRATOS_EXPORT UaaLogin final : public LoginService {
 public:
  /// Throws Error(InvalidArgument) when `adminScope` is empty: it would make everybody or nobody an
  /// administrator. `check` judges the tokens that sign users in; null: they are believed.
  UaaLogin(UaaClient& uaa, UaaTarget target, store::TokenStore& tokens, TokenProvider& provider,
           const Clock& clock, std::string adminScope, UaaTokenCheck* check = nullptr);

  [[nodiscard]] LoginResult login(const std::string& userName, const Secret& password,
                                  Deadline deadline) override;
  [[nodiscard]] std::optional<ConnectedUser> findUser(const UserId& user) override;
  [[nodiscard]] VerifyResult verify(const UserId& user, std::int64_t tokenExpiry,
                                    Deadline deadline) override;

  /// Takes the answer to a user's grant, however it was asked for: checks whom the token names and
  /// stores it as the user's console token. Throws Error(Unavailable) when the UAA could not be
  /// asked, does not accept the console, or granted something that cannot be understood.
  [[nodiscard]] LoginResult accept(const GrantResult& answer);

 private:
  UaaClient& uaa_;
  UaaTarget target_;
  store::TokenStore& tokens_;
  TokenProvider& provider_;
  const Clock& clock_;
  std::string adminScope_;
  UaaTokenCheck* check_;
};

}  // namespace stratos::auth
