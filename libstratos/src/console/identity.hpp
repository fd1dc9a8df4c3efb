#pragma once

#include <memory>

#include "stratos/auth/login_service.hpp"
#include "stratos/auth/profile.hpp"
#include "stratos/auth/single_sign_on.hpp"
#include "stratos/base/annotations.hpp"
#include "stratos/console/options.hpp"

namespace stratos::console {

struct Services;

/// How users sign in, from now until set-up replaces it. Immutable.
struct Identity {
  SignInOptions options;
  std::shared_ptr<auth::LoginService> login;
  std::shared_ptr<auth::ProfileService> profiles;
  std::shared_ptr<auth::SingleSignOn> sso;  ///< Null when single sign-on is off.
};

/// Builds the back end that `options` ask for, and the first local user. Throws
/// Error(InvalidArgument) that names the option that cannot work.
[[nodiscard]] std::shared_ptr<const Identity> makeIdentity(Services& services,
                                                           SignInOptions options);

/// The identity in force. Safe from any thread.
class IdentitySlot {
 public:
  /// Null in set-up mode.
  [[nodiscard]] std::shared_ptr<const Identity> find() const {
    MutexLock lock(mutex_);
    return identity_;
  }
  void set(std::shared_ptr<const Identity> identity) {
    MutexLock lock(mutex_);
    identity_ = std::move(identity);
  }

 private:
  mutable Mutex mutex_;
  std::shared_ptr<const Identity> identity_ STRATOS_GUARDED_BY(mutex_);
};

}  // namespace stratos::console
