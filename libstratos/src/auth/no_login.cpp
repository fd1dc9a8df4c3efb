#include "stratos/auth/login_service.hpp"

namespace stratos::auth {

void LoginService::forget(const UserId&, Deadline) {}

LoginResult NoLogin::login(const std::string&, const Secret&, Deadline) {
  LoginResult result;
  result.refusal = "This console needs no sign-in";
  return result;
}

std::optional<ConnectedUser> NoLogin::findUser(const UserId& user) {
  if (user.str() != kUserGuid) return std::nullopt;
  return ConnectedUser{.guid = std::string{kUserGuid},
                       .name = std::string{kUserName},
                       .admin = true,
                       // Tells the front end to hide the sign-out.
                       .scopes = std::vector<std::string>{"stratos.noauth"}};
}

VerifyResult NoLogin::verify(const UserId& user, std::int64_t, Deadline) {
  if (user.str() != kUserGuid) {
    return {.accepted = false, .tokenExpiry = 0, .refusal = "this console has no such user"};
  }
  return {.accepted = true, .tokenExpiry = kNeverExpires, .refusal = {}};
}

}  // namespace stratos::auth
