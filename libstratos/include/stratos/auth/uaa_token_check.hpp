#pragma once

#include <atomic>
#include <string>

#include "stratos/auth/jwt_verifier.hpp"
#include "stratos/auth/uaa_client.hpp"
#include "stratos/base/clock.hpp"
#include "stratos/base/deadline.hpp"
#include "stratos/base/export.hpp"
#include "stratos/base/log.hpp"
#include "stratos/base/secret.hpp"

namespace stratos::auth {

/// Judges access tokens that a UAA has just granted to the console: signature by the UAA's
/// /token_keys (https://docs.cloudfoundry.org/api/uaa/#token-keys), issuer and expiry. A token
/// whose keys cannot be had came straight from the token endpoint and is believed; that is logged
/// once for each outage.
///
/// Thread safety: all members may be called concurrently. The collaborators must outlive it.
class STRATOS_EXPORT UaaTokenCheck {
 public:
  UaaTokenCheck(JwtVerifier& verifier, const Clock& clock, LogSink& log);

  /// Why the token must not be used, for the log; empty when it may. An opaque token says nothing
  /// and may.
  [[nodiscard]] std::string problemOf(const UaaTarget& uaa, const Secret& accessToken,
                                      Deadline deadline);

 private:
  JwtVerifier& verifier_;
  const Clock& clock_;
  LogSink& log_;
  std::atomic<bool> isBlind_{false};
};

}  // namespace stratos::auth
