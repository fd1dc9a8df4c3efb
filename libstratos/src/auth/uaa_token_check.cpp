#include "stratos/auth/uaa_token_check.hpp"

#include "stratos/auth/jwt.hpp"

namespace stratos::auth {

namespace {

constexpr std::int64_t kLeewaySeconds = 60;

std::string keysUrl(const UaaTarget& uaa) {
  const auto base = Url::tryParse(uaa.baseUrl);
  return base ? base->withoutTrailingSlash().str() + "/token_keys" : std::string{};
}

}  // namespace

UaaTokenCheck::UaaTokenCheck(JwtVerifier& verifier, const Clock& clock, LogSink& log)
    : verifier_(verifier), clock_(clock), log_(log) {}

std::string UaaTokenCheck::problemOf(const UaaTarget& uaa, const Secret& accessToken,
                                     Deadline deadline) {
  const auto claims = decodeJwt(accessToken.reveal());
  if (!claims) return {};
  // The UAA is often reached by another name than the one it signs with, so the name itself is not
  // compared: the keys are.
  if (!claims->issuer.empty() && !Url::tryParse(claims->issuer)) return "iss is no URL";
  if (claims->expiry > 0 && claims->expiry <= toUnixSeconds(clock_.now()) - kLeewaySeconds) {
    return "the token has expired already";
  }
  const JwtResult result =
      verifier_.verify(accessToken, {.url = keysUrl(uaa), .trust = uaa.trust}, deadline);
  if (result.status == JwtStatus::KeysUnavailable) {
    if (!isBlind_.exchange(true)) {
      log(log_, LogLevel::Warning,
          "tokens of the UAA are believed without a check of their signature: its keys cannot be "
          "had",
          {{"reason", result.reason}});
    }
    return {};
  }
  if (result.status == JwtStatus::Verified) isBlind_ = false;
  return result.reason;
}

}  // namespace stratos::auth
