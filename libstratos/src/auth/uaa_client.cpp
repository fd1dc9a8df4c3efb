#include "stratos/auth/uaa_client.hpp"

#include <algorithm>

#include "auth/json_support.hpp"
#include "stratos/auth/jwt.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"

namespace stratos::auth {

namespace {

/// A token response is a few KB; what is larger is no token response.
constexpr std::size_t kAnswerLimitBytes = 256 * 1024;

GrantResult failure(GrantStatus status, int httpStatus, std::string detail,
                    std::string description = {}) {
  GrantResult result;
  result.status = status;
  result.httpStatus = httpStatus;
  result.description = std::move(description);
  result.detail = std::move(detail);
  return result;
}

/// RFC 6749 section 5.2 as the UAA applies it: invalid_client names the client; the other 400 and
/// 401 answers name the credentials (`unauthorized`) or the token (`invalid_grant`,
/// `invalid_token`). Where no user's credentials were sent, `unauthorized` can only mean the
/// client.
GrantStatus classify(int httpStatus, const std::string& error, bool noUser) {
  if (httpStatus != 400 && httpStatus != 401) return GrantStatus::Unavailable;
  if (error == "invalid_client" || error == "unauthorized_client" ||
      error == "unsupported_grant_type" || error == "invalid_scope" ||
      (noUser && error == "unauthorized")) {
    return GrantStatus::ClientRefused;
  }
  if (error == "invalid_grant" || error == "invalid_token") return GrantStatus::Refused;
  // A connection is given up for a clear word only; a login is refused by any.
  return noUser || error.empty() ? GrantStatus::Unavailable : GrantStatus::Refused;
}

/// An error code of RFC 6749 fit for a log line; a server could put anything there.
std::string codeOnly(std::string error) {
  const bool isCode = error.size() <= 64 && std::all_of(error.begin(), error.end(), [](char c) {
                        return (c >= 'a' && c <= 'z') || c == '_';
                      });
  return isCode ? std::move(error) : std::string{};
}

/// A description that may be shown. The UAA quotes refresh tokens in some of its descriptions.
std::string displayable(std::string description, const Secret& credential) {
  constexpr std::size_t kLimit = 1024;
  const bool isText = description.size() <= kLimit &&
                      std::all_of(description.begin(), description.end(), [](char c) {
                        return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
                      });
  if (!isText) return {};
  if (!credential.empty() && description.find(credential.reveal()) != std::string::npos) return {};
  return description;
}

}  // namespace

std::int64_t expiryOf(const TokenGrant& grant, TimePoint now) {
  constexpr std::int64_t kLatest = 253'402'300'799;  // End of the year 9999.
  // A server may leave expires_in out (RFC 6749 section 5.1). A wrong guess costs one 401.
  constexpr std::int64_t kAssumedLife = 600;
  const auto claims = decodeJwt(grant.accessToken.reveal());
  if (claims && claims->expiry > 0) return std::min(claims->expiry, kLatest);
  const std::int64_t life = grant.expiresIn > 0 ? grant.expiresIn : kAssumedLife;
  return std::min(life, kLatest - toUnixSeconds(now)) + toUnixSeconds(now);
}

UaaClient::UaaClient(http::Transport& transport) : transport_(transport) {}

GrantResult UaaClient::passwordGrant(const UaaTarget& uaa, const std::string& userName,
                                     const Secret& password, Deadline deadline) {
  return request(uaa, Grant::Password, password,
                 encodeForm({{"grant_type", "password"},
                             {"username", userName},
                             {"password", password.reveal()},
                             {"response_type", "token"}}),
                 deadline);
}

GrantResult UaaClient::passcodeGrant(const UaaTarget& uaa, const Secret& passcode,
                                     Deadline deadline) {
  return request(uaa, Grant::Password, passcode,
                 encodeForm({{"grant_type", "password"},
                             {"passcode", passcode.reveal()},
                             {"response_type", "token"}}),
                 deadline);
}

GrantResult UaaClient::authorizationCodeGrant(const UaaTarget& uaa, const Secret& code,
                                              const std::string& redirectUri,
                                              const Secret& codeVerifier, Deadline deadline) {
  return request(uaa, Grant::Code, code,
                 encodeForm({{"grant_type", "authorization_code"},
                             {"code", code.reveal()},
                             {"client_id", uaa.clientId},
                             {"redirect_uri", redirectUri},
                             {"code_verifier", codeVerifier.reveal()}}),
                 deadline);
}

GrantResult UaaClient::refresh(const UaaTarget& uaa, const Secret& refreshToken,
                               Deadline deadline) {
  return request(uaa, Grant::Refresh, refreshToken,
                 encodeForm({{"grant_type", "refresh_token"},
                             {"refresh_token", refreshToken.reveal()},
                             {"response_type", "token"}}),
                 deadline);
}

GrantResult UaaClient::clientCredentialsGrant(const UaaTarget& uaa, Deadline deadline) {
  return request(uaa, Grant::Client, uaa.clientSecret,
                 encodeForm({{"client_id", uaa.clientId},
                             {"client_secret", uaa.clientSecret.reveal()},
                             {"grant_type", "client_credentials"},
                             {"token_format", "jwt"}}),
                 deadline);
}

GrantResult UaaClient::request(const UaaTarget& uaa, Grant kind, const Secret& credential,
                               const std::string& form, Deadline deadline) {
  const auto base = Url::tryParse(uaa.baseUrl);
  if (!base) {
    return failure(GrantStatus::Unavailable, 0,
                   "the address of the authorization server is no URL");
  }
  const Url tokenUrl = base->withPath(base->withoutTrailingSlash().rawPath() + "/oauth/token");

  // Client id and secret are form-encoded before the Basic scheme is applied (RFC 6749, 2.3.1).
  const std::string credentials =
      encodeFormValue(uaa.clientId) + ":" + encodeFormValue(uaa.clientSecret.reveal());
  http::ClientRequest request{.method = "POST",
                              .url = tokenUrl,
                              .headers = {{"Content-Type", "application/x-www-form-urlencoded"},
                                          {"Accept", "application/json"}},
                              .body = form,
                              .trust = uaa.trust,
                              .deadline = deadline};
  // The client's own grant names it in the form, as the UAA's documentation does.
  if (kind != Grant::Client) {
    request.headers.set("Authorization", "Basic " + toBase64(credentials));
  }
  // No redirects: the form holds credentials that are meant for this address alone.
  http::ClientResponse response = transport_.send(std::move(request));
  if (response.failed()) return failure(GrantStatus::Unavailable, 0, response.detail);

  std::string text;
  try {
    text = response.body.readAll(kAnswerLimitBytes);
  } catch (const Error& error) {
    return failure(GrantStatus::Unavailable, response.status, error.what());
  }
  const auto answer = detail::parseObject(text);
  const std::string status = "the authorization server answered " + std::to_string(response.status);
  if (response.status != 200) {
    const std::string error = answer ? codeOnly(detail::stringMember(*answer, "error")) : "";
    return failure(
        classify(response.status, error, kind == Grant::Refresh || kind == Grant::Client),
        response.status, error.empty() ? status : status + " " + error,
        answer ? displayable(detail::stringMember(*answer, "error_description"), credential) : "");
  }
  const std::string accessToken = answer ? detail::stringMember(*answer, "access_token") : "";
  if (accessToken.empty()) {
    return failure(GrantStatus::Unavailable, response.status, status + " without a token");
  }
  GrantResult result;
  result.status = GrantStatus::Granted;
  result.httpStatus = response.status;
  result.grant.accessToken = Secret{accessToken};
  result.grant.refreshToken = Secret{detail::stringMember(*answer, "refresh_token")};
  result.grant.expiresIn = detail::integerMember(*answer, "expires_in");
  result.grant.scopes = detail::listMember(*answer, "scope");
  return result;
}

}  // namespace stratos::auth
