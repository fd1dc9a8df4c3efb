#pragma once

#include <memory>
#include <string>

#include "stratos/auth/login_service.hpp"
#include "stratos/auth/single_sign_on.hpp"
#include "stratos/auth/uaa_client.hpp"
#include "stratos/base/export.hpp"

namespace stratos::auth {

/// Sign-in at a UAA by redirect (https://docs.cloudfoundry.org/api/uaa/#authorization-code-grant).
class STRATOS_EXPORT UaaSingleSignOn final : public SingleSignOn {
 public:
  /// `authorizationUrl`: where browsers find the UAA; the target's address when empty. Throws
  /// Error(InvalidArgument) when it is no http or https URL. The client must outlive this.
  UaaSingleSignOn(UaaClient& uaa, UaaTarget target, const std::string& authorizationUrl,
                  std::shared_ptr<UaaLogin> login);

  [[nodiscard]] std::string authorizeUrl(const SsoFlow& flow, Deadline deadline) override;
  [[nodiscard]] LoginResult redeem(const Secret& code, const std::string& issuer,
                                   const SsoFlow& flow, Deadline deadline) override;
  [[nodiscard]] std::string logoutUrl(const std::string& returnTo, const UserId* user,
                                      Deadline deadline) override;

 private:
  UaaClient& uaa_;
  UaaTarget target_;
  std::string authorizationUrl_;  ///< Without a trailing slash.
  std::shared_ptr<UaaLogin> login_;
};

}  // namespace stratos::auth
