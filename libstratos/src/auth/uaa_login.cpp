#include "stratos/auth/jwt.hpp"
#include "stratos/auth/login_service.hpp"
#include "stratos/auth/uaa_token_check.hpp"
#include "stratos/base/error.hpp"

namespace stratos::auth {

UaaLogin::UaaLogin(UaaClient& uaa, UaaTarget target, store::TokenStore& tokens,
                   TokenProvider& provider, const Clock& clock, std::string adminScope,
                   UaaTokenCheck* check)
    : uaa_(uaa),
      target_(std::move(target)),
      tokens_(tokens),
      provider_(provider),
      clock_(clock),
      adminScope_(std::move(adminScope)),
      check_(check) {
  if (adminScope_.empty()) {
    throw Error(
        ErrorCode::InvalidArgument,
        "CONSOLE_ADMIN_SCOPE is empty; set it to the scope of the console's administrators");
  }
  if (!Url::tryParse(target_.baseUrl)) {
    throw Error(ErrorCode::InvalidArgument,
                "UAA_ENDPOINT is no http or https URL; set it to the address of the UAA");
  }
}

LoginResult UaaLogin::login(const std::string& userName, const Secret& password,
                            Deadline deadline) {
  LoginResult result;
  if (userName.empty() || password.empty()) {
    result.refusal = "Needs username and password";
    return result;
  }
  return accept(uaa_.passwordGrant(target_, userName, password, deadline));
}

LoginResult UaaLogin::accept(const GrantResult& answer) {
  LoginResult result;
  switch (answer.status) {
    case GrantStatus::Granted:
      break;
    case GrantStatus::Refused:
      result.refusal = answer.description.empty() ? "Access Denied" : answer.description;
      return result;
    case GrantStatus::ClientRefused:
      throw Error(ErrorCode::Unavailable,
                  "the UAA refuses the console's client: " + answer.detail +
                      "; check CONSOLE_CLIENT and CONSOLE_CLIENT_SECRET",
                  "The identity server does not accept this console");
    case GrantStatus::Unavailable:
      throw Error(ErrorCode::Unavailable, "the UAA cannot be asked: " + answer.detail,
                  "The identity server cannot be reached");
  }
  const auto claims = decodeJwt(answer.grant.accessToken.reveal());
  if (!claims || claims->userId.empty()) {
    throw Error(ErrorCode::Unavailable, "the UAA granted a token that names no user",
                "The identity server sent an answer that cannot be understood");
  }
  if (check_ != nullptr) {
    constexpr std::chrono::seconds kCheckTime{10};
    const std::string problem =
        check_->problemOf(target_, answer.grant.accessToken, Deadline::after(kCheckTime));
    if (!problem.empty()) {
      throw Error(ErrorCode::Unavailable,
                  "the UAA granted a token that must not be trusted: " + problem,
                  "The identity server sent an answer that cannot be understood");
    }
  }
  store::TokenRecord token;
  token.owner = UserId{claims->userId};
  token.endpoint = EndpointId{std::string{store::kConsoleEndpointGuid}};
  token.authToken = answer.grant.accessToken;
  token.refreshToken = answer.grant.refreshToken;
  token.expiry = expiryOf(answer.grant, clock_.now());
  tokens_.saveConsoleToken(token);

  const ConnectedUser user{
      .guid = claims->userId, .name = claims->userName, .admin = false, .scopes = claims->scopes};
  result.accepted = true;
  result.user = token.owner;
  result.account = claims->userName;
  result.tokenExpiry = token.expiry;
  result.admin = user.hasScope(adminScope_);
  return result;
}

std::optional<ConnectedUser> UaaLogin::findUser(const UserId& id) {
  const auto token = tokens_.findConsoleToken(id);
  if (!token) return std::nullopt;
  const auto claims = decodeJwt(token->authToken.reveal());
  if (!claims) return std::nullopt;
  ConnectedUser user{
      .guid = claims->userId, .name = claims->userName, .admin = false, .scopes = claims->scopes};
  user.admin = user.hasScope(adminScope_);
  return user;
}

VerifyResult UaaLogin::verify(const UserId& id, std::int64_t tokenExpiry, Deadline deadline) {
  const TokenResult token = provider_.getConsole(id, target_, deadline);
  switch (token.failure) {
    case TokenFailure::None:
      return {.accepted = true, .tokenExpiry = token.record.expiry, .refusal = {}};
    case TokenFailure::NotConnected:
    case TokenFailure::Rejected:
      return {.accepted = false, .tokenExpiry = 0, .refusal = token.reason};
    case TokenFailure::Unreachable:
    case TokenFailure::Misconfigured:
      break;
  }
  // The session outlives an outage of the UAA: the next verify asks again.
  return {.accepted = true, .tokenExpiry = tokenExpiry, .refusal = {}};
}

}  // namespace stratos::auth
