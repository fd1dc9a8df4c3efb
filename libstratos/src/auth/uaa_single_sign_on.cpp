#include "stratos/auth/uaa_single_sign_on.hpp"

#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"
#include "stratos/base/url.hpp"
#include "stratos/crypto/digest.hpp"

namespace stratos::auth {

UaaSingleSignOn::UaaSingleSignOn(UaaClient& uaa, UaaTarget target,
                                 const std::string& authorizationUrl,
                                 std::shared_ptr<UaaLogin> login)
    : uaa_(uaa), target_(std::move(target)), login_(std::move(login)) {
  const auto url = Url::tryParse(authorizationUrl.empty() ? target_.baseUrl : authorizationUrl);
  if (!url) {
    throw Error(ErrorCode::InvalidArgument,
                "AUTHORIZATION_ENDPOINT is no http or https URL; set it to the address at which "
                "browsers find the UAA");
  }
  authorizationUrl_ = url->withoutTrailingSlash().str();
}

std::string UaaSingleSignOn::authorizeUrl(const SsoFlow& flow, Deadline) {
  const std::string challenge = toBase64Url(crypto::sha256(flow.codeVerifier.reveal()));
  return authorizationUrl_ + "/oauth/authorize?" +
         encodeForm({{"response_type", "code"},
                     {"client_id", target_.clientId},
                     {"redirect_uri", flow.redirectUri},
                     {"state", flow.state},
                     {"code_challenge", challenge},
                     {"code_challenge_method", "S256"}});
}

LoginResult UaaSingleSignOn::redeem(const Secret& code, const std::string&, const SsoFlow& flow,
                                    Deadline deadline) {
  return login_->accept(
      uaa_.authorizationCodeGrant(target_, code, flow.redirectUri, flow.codeVerifier, deadline));
}

std::string UaaSingleSignOn::logoutUrl(const std::string& returnTo, const UserId*, Deadline) {
  return authorizationUrl_ + "/logout.do?" +
         encodeForm({{"client_id", target_.clientId}, {"redirect", returnTo}});
}

}  // namespace stratos::auth
