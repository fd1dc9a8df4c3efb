#include "stratos/auth/auth_scheme.hpp"

#include <algorithm>
#include <utility>

#include "stratos/auth/jwt.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"

namespace stratos::auth {

namespace {

using store::EndpointRecord;
using store::TokenRecord;

Error unusable(const TokenRecord& token, const char* why) {
  return {ErrorCode::Internal,
          "the stored token " + token.id.str() + " of type " + token.authType + " " + why};
}

/// The token itself, as a bearer token (RFC 6750).
class BearerScheme : public AuthScheme {
 public:
  [[nodiscard]] Credential credential(const TokenRecord& token) const override {
    return {authorizationValue("bearer", token.authToken.reveal(), token), {}};
  }
};

class OAuth2Scheme final : public BearerScheme {
 public:
  explicit OAuth2Scheme(UaaClient& uaa) : uaa_(uaa) {}
  [[nodiscard]] bool isRenewable(const TokenRecord&) const override { return true; }
  [[nodiscard]] GrantResult renew(const EndpointRecord& endpoint, const TokenRecord& token,
                                  Deadline deadline) const override {
    return uaa_.refresh(uaaOf(endpoint), token.refreshToken, deadline);
  }

 private:
  UaaClient& uaa_;
};

/// Schemes that keep the user's name in the place of a refresh token.
class NamedUserScheme : public AuthScheme {
 public:
  [[nodiscard]] std::optional<ConnectedUser> user(const TokenRecord& token) const override {
    const std::string& name = token.refreshToken.reveal();
    return ConnectedUser{.guid = name, .name = name, .admin = false, .scopes = std::nullopt};
  }
};

/// RFC 7617; base64 is stored as it is sent.
class BasicScheme final : public NamedUserScheme {
 public:
  [[nodiscard]] Credential credential(const TokenRecord& token) const override {
    return {authorizationValue("basic", token.authToken.reveal(), token), {}};
  }
};

/// A token that is stored as base64 and sent as it is.
class EncodedScheme final : public NamedUserScheme {
 public:
  explicit EncodedScheme(std::string word) : word_(std::move(word)) {}
  [[nodiscard]] Credential credential(const TokenRecord& token) const override {
    const auto value = fromBase64(token.authToken.reveal());
    if (!value) throw unusable(token, "is not base64");
    return {authorizationValue(word_, *value, token), {}};
  }

 private:
  std::string word_;
};

class NoneScheme final : public AuthScheme {
 public:
  [[nodiscard]] Credential credential(const TokenRecord&) const override { return {}; }
  [[nodiscard]] std::optional<ConnectedUser> user(const TokenRecord&) const override {
    return ConnectedUser{.guid = "none", .name = "none", .admin = false, .scopes = std::nullopt};
  }
};

/// Holds a private key, which belongs into a handshake and never into a header.
class UnknownCertificateScheme final : public AuthScheme {
 public:
  [[nodiscard]] Credential credential(const TokenRecord& token) const override {
    throw unusable(token, "needs an extension that is not attached");
  }
  [[nodiscard]] std::optional<ConnectedUser> user(const TokenRecord&) const override {
    return std::nullopt;
  }
};

}  // namespace

std::optional<ConnectedUser> AuthScheme::user(const TokenRecord& token) const {
  const auto claims = decodeJwt(token.authToken.reveal());
  if (!claims || claims->userId.empty()) return std::nullopt;
  return ConnectedUser{
      .guid = claims->userId, .name = claims->userName, .admin = false, .scopes = claims->scopes};
}

bool AuthScheme::isRenewable(const TokenRecord&) const { return false; }

GrantResult AuthScheme::renew(const EndpointRecord&, const TokenRecord& token, Deadline) const {
  GrantResult refused;
  refused.status = GrantStatus::Refused;
  refused.detail = "a token of type " + token.authType + " cannot be renewed";
  return refused;
}

UaaTarget uaaOf(const EndpointRecord& endpoint) {
  return {.baseUrl = endpoint.tokenEndpoint,
          .clientId = endpoint.clientId,
          .clientSecret = endpoint.clientSecret,
          .trust = {.skipVerification = endpoint.skipSslValidation,
                    .caCertificatePem = endpoint.caCertificate}};
}

std::string authorizationValue(std::string_view scheme, std::string_view credentials,
                               const TokenRecord& token) {
  // Tokens are long. Without a way out in the middle, compilers look at many bytes at a time.
  unsigned char controls = 0;
  for (const char c : credentials) {
    const auto byte = static_cast<unsigned char>(c);
    controls |= static_cast<unsigned char>((byte < 0x20 ? 1 : 0) | (byte == 0x7f ? 1 : 0));
  }
  if (controls != 0) throw unusable(token, "holds control characters");
  std::string value;
  value.reserve(scheme.size() + 1 + credentials.size());
  value.append(scheme).append(" ").append(credentials);
  return value;
}

AuthSchemes::AuthSchemes(UaaClient& uaa) : oauth2_(std::make_unique<OAuth2Scheme>(uaa)) {
  add("HttpBasic", std::make_unique<BasicScheme>());
  add("creds", std::make_unique<BasicScheme>());
  add("Bearer", std::make_unique<EncodedScheme>("bearer"));
  add("Token", std::make_unique<EncodedScheme>("token"));
  add("none", std::make_unique<NoneScheme>());
  // Their second column holds other things than a refresh token of an OAuth2 server, and must never
  // be sent to one.
  for (const char* type : {"k8s-token", "OIDC", "aws-iam", "gke-auth", "uaa-client"}) {
    add(type, std::make_unique<BearerScheme>());
  }
  for (const char* type : {"kube-cert-auth", "kubeconfig-az"}) {
    add(type, std::make_unique<UnknownCertificateScheme>());
  }
}

AuthSchemes::~AuthSchemes() = default;

void AuthSchemes::add(std::string authType, std::unique_ptr<AuthScheme> scheme) {
  schemes_.insert_or_assign(std::move(authType), std::move(scheme));
}

const AuthScheme& AuthSchemes::of(const TokenRecord& token) const {
  const auto it = schemes_.find(token.authType);
  return it == schemes_.end() ? *oauth2_ : *it->second;
}

bool AuthSchemes::isOAuth2(const TokenRecord& token) const { return &of(token) == oauth2_.get(); }

ConnectedUser AuthSchemes::userOf(const TokenRecord& token, std::string_view endpointType) const {
  ConnectedUser user =
      of(token).user(token).value_or(ConnectedUser{.guid = token.authType,
                                                   .name = token.authType,
                                                   .admin = false,
                                                   .scopes = std::vector<std::string>{}});
  user.admin = endpointType == "cf" && user.hasScope(kCloudFoundryAdminScope);
  if (token.isShared()) {
    user.guid = std::string{kSharedUserGuid};
    user.name = "system_shared";
    user.scopes = std::vector<std::string>{};
  }
  return user;
}

}  // namespace stratos::auth
