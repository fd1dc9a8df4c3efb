#include "stratos/auth/token_user.hpp"

#include "stratos/auth/jwt.hpp"

namespace stratos::auth {

namespace {

ConnectedUser ownUserOf(const store::TokenRecord& token, std::string_view endpointType) {
  const std::string& type = token.authType;
  if (type == "HttpBasic" || type == "creds" || type == "Bearer" || type == "Token") {
    const std::string& name = token.refreshToken.reveal();  // These types keep the user name there.
    return {.guid = name, .name = name, .admin = false, .scopes = std::nullopt};
  }
  if (type == "none")
    return {.guid = "none", .name = "none", .admin = false, .scopes = std::nullopt};

  const auto claims = decodeJwt(token.authToken.reveal());
  if (claims && !claims->userId.empty()) {
    ConnectedUser user{
        .guid = claims->userId, .name = claims->userName, .admin = false, .scopes = claims->scopes};
    user.admin = endpointType == "cf" && user.hasScope(kCloudFoundryAdminScope);
    return user;
  }
  return {.guid = type, .name = type, .admin = false, .scopes = std::vector<std::string>{}};
}

}  // namespace

ConnectedUser userOfToken(const store::TokenRecord& token, std::string_view endpointType) {
  ConnectedUser user = ownUserOf(token, endpointType);
  if (token.isShared()) {
    user.guid = std::string{kSharedUserGuid};
    user.name = "system_shared";
    user.scopes = std::vector<std::string>{};
  }
  return user;
}

}  // namespace stratos::auth
