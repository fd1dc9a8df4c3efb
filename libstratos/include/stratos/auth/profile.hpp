#pragma once

#include <memory>
#include <string>

#include "stratos/auth/login_service.hpp"
#include "stratos/auth/token_provider.hpp"
#include "stratos/auth/uaa_client.hpp"
#include "stratos/base/deadline.hpp"
#include "stratos/base/export.hpp"
#include "stratos/base/ids.hpp"
#include "stratos/base/random.hpp"
#include "stratos/base/secret.hpp"
#include "stratos/http/headers.hpp"
#include "stratos/http/transport.hpp"
#include "stratos/store/user_store.hpp"

namespace stratos::auth {

/// The shortest password that a local user may choose (NIST SP 800-63B section 5.1.1.1).
inline constexpr std::size_t kMinPasswordBytes = 8;

/// A change that a user asks for.
struct ProfileChange {
  std::string body;      ///< The front end's JSON, as it came.
  http::Headers fields;  ///< If-Match and X-Identity-Zone-*, where they came.
  Secret password;       ///< The user's password, where it came (x-stratos-password);
                         ///< for another password, the one in the body counts first.
  Secret newPassword;    ///< The one after the change (x-stratos-password-new), likewise.
};

/// What became of it. A value.
struct ProfileAnswer {
  int status = 200;
  std::string json;                 ///< A profile; empty for changes.
  std::string error;                ///< For the user, when the status is no success.
  bool credentialsChanged = false;  ///< The user's other sessions should end.
};

/// The users' own profiles, in the form of SCIM that the UAA has
/// (https://docs.cloudfoundry.org/api/uaa/#users). Implementations must be callable from any
/// thread. `user` is always who asks: nobody reaches another one's profile. All members throw
/// Error(Unavailable) when the database or the back end cannot be asked.
class STRATOS_EXPORT ProfileService {
 public:
  virtual ~ProfileService() = default;
  [[nodiscard]] virtual ProfileAnswer get(const UserId& user, Deadline deadline) = 0;
  [[nodiscard]] virtual ProfileAnswer update(const UserId& user, const ProfileChange& change,
                                             Deadline deadline) = 0;
  [[nodiscard]] virtual ProfileAnswer changePassword(const UserId& user,
                                                     const ProfileChange& change,
                                                     Deadline deadline) = 0;
};

/// Profiles of local users.
class STRATOS_EXPORT LocalProfiles final : public ProfileService {
 public:
  LocalProfiles(store::LocalUserStore& users, Random& random, int hashCost);
  [[nodiscard]] ProfileAnswer get(const UserId& user, Deadline deadline) override;
  [[nodiscard]] ProfileAnswer update(const UserId& user, const ProfileChange& change,
                                     Deadline deadline) override;
  [[nodiscard]] ProfileAnswer changePassword(const UserId& user, const ProfileChange& change,
                                             Deadline deadline) override;

 private:
  store::LocalUserStore& users_;
  Random& random_;
  int hashCost_;
};

/// Profiles at a UAA, with the user's own token. A change that makes the UAA revoke the user's
/// tokens is followed by a new sign-in with the password that came along.
class STRATOS_EXPORT UaaProfiles final : public ProfileService {
 public:
  /// The collaborators must outlive it.
  UaaProfiles(http::Transport& transport, UaaClient& uaa, UaaTarget target, TokenProvider& provider,
              std::shared_ptr<UaaLogin> login);
  [[nodiscard]] ProfileAnswer get(const UserId& user, Deadline deadline) override;
  [[nodiscard]] ProfileAnswer update(const UserId& user, const ProfileChange& change,
                                     Deadline deadline) override;
  [[nodiscard]] ProfileAnswer changePassword(const UserId& user, const ProfileChange& change,
                                             Deadline deadline) override;

 private:
  struct Call;
  [[nodiscard]] ProfileAnswer send(const Call& call, Deadline deadline);
  [[nodiscard]] ProfileAnswer change(const UserId& user, const ProfileChange& change,
                                     const std::string& suffix, Deadline deadline);

  http::Transport& transport_;
  UaaClient& uaa_;
  UaaTarget target_;
  TokenProvider& provider_;
  std::shared_ptr<UaaLogin> login_;
};

/// Profiles that show what the sign-in knows and cannot be changed here.
class STRATOS_EXPORT FixedProfiles final : public ProfileService {
 public:
  /// `origin` is shown as the profile's origin.
  FixedProfiles(std::shared_ptr<LoginService> login, std::string origin);
  [[nodiscard]] ProfileAnswer get(const UserId& user, Deadline deadline) override;
  [[nodiscard]] ProfileAnswer update(const UserId& user, const ProfileChange& change,
                                     Deadline deadline) override;
  [[nodiscard]] ProfileAnswer changePassword(const UserId& user, const ProfileChange& change,
                                             Deadline deadline) override;

 private:
  std::shared_ptr<LoginService> login_;
  std::string origin_;
};

}  // namespace stratos::auth
