#include "ext/kubernetes/schemes.hpp"

#include <algorithm>

#include "stratos/auth/oidc_client.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"
#include "stratos/base/json_text.hpp"
#include "stratos/base/url.hpp"

namespace stratos::ext::kubernetes {

namespace {

using auth::ConnectedUser;
using auth::Credential;
using auth::GrantResult;
using auth::GrantStatus;
using store::EndpointRecord;
using store::TokenRecord;

constexpr std::size_t kAnswerLimitBytes = 256 * 1024;

GrantResult failed(GrantStatus status, std::string detail) {
  GrantResult result;
  result.status = status;
  result.detail = std::move(detail);
  return result;
}

GrantResult granted(Secret token, Secret refreshToken, std::int64_t expiresIn) {
  GrantResult result;
  result.status = GrantStatus::Granted;
  result.grant.accessToken = std::move(token);
  result.grant.refreshToken = std::move(refreshToken);
  result.grant.expiresIn = expiresIn;
  return result;
}

GrantResult unreadable() {
  return failed(GrantStatus::Refused, "what is stored of the connection cannot be understood");
}

ConnectedUser labelled(std::string guid, std::string name) {
  return {.guid = std::move(guid), .name = std::move(name), .admin = false, .scopes = std::nullopt};
}

/// The user that a JWT of any issuer names.
std::optional<ConnectedUser> userOfJwt(const std::string& token) {
  const std::string claims = jwtPayload(token);
  const auto first = [&](std::initializer_list<const char*> names) -> std::string {
    for (const char* name : names) {
      if (auto value = findJsonText(claims, name); value && !value->empty()) return *value;
    }
    return {};
  };
  const std::string guid = first({"user_id", "sub", "email"});
  if (guid.empty()) return std::nullopt;
  return labelled(guid, first({"user_name", "preferred_username", "email", "name", "sub"}));
}

class TokenScheme : public auth::AuthScheme {
 public:
  [[nodiscard]] Credential credential(const TokenRecord& token) const override {
    return {auth::authorizationValue("bearer", token.authToken.reveal(), token), {}};
  }
};

/// A service account's token, or one of a static list of the API server.
class ServiceAccountScheme final : public TokenScheme {
 public:
  [[nodiscard]] std::optional<ConnectedUser> user(const TokenRecord& token) const override {
    const std::string& text = token.authToken.reveal();
    auto user = userOfJwt(text);
    const auto parts = split(text, ':');
    if (!user && parts.size() == 2 && !parts[0].empty()) user = labelled(parts[0], parts[0]);
    if (user) user->scopes.emplace();
    return user;
  }
};

class CertificateScheme final : public auth::AuthScheme {
 public:
  [[nodiscard]] Credential credential(const TokenRecord& token) const override {
    const auto stored = readCertificate(token);
    if (!stored) {
      throw Error(ErrorCode::Internal, "the stored token " + token.id.str() + " of type " +
                                           token.authType + " holds no certificate with its key");
    }
    Credential credential;
    credential.clientIdentity = {stored->certificatePem, stored->keyPem};
    if (!stored->token.empty()) {
      credential.authorization = auth::authorizationValue("bearer", stored->token.reveal(), token);
    }
    return credential;
  }
  [[nodiscard]] std::optional<ConnectedUser> user(const TokenRecord&) const override {
    return labelled("Kube Cert Auth", "Cert Auth");
  }
};

/// API servers take ID tokens (OpenID Connect Core 1.0 section 2), so that is what is sent.
class OidcScheme final : public TokenScheme {
 public:
  explicit OidcScheme(SchemeContext context) : context_(std::move(context)) {}

  [[nodiscard]] std::optional<ConnectedUser> user(const TokenRecord& token) const override {
    return userOfJwt(token.authToken.reveal());
  }
  [[nodiscard]] bool isRenewable(const TokenRecord& token) const override {
    return readOidc(token).has_value();
  }
  [[nodiscard]] GrantResult renew(const EndpointRecord&, const TokenRecord& token,
                                  Deadline deadline) const override {
    auto stored = readOidc(token);
    if (!stored) return unreadable();
    const auto issuer = Url::tryParse(stored->issuer);
    if (!issuer || issuer->scheme() != "https") {
      return failed(GrantStatus::ClientRefused, "the issuer is not reached over https");
    }
    try {
      auth::OidcOptions options;
      options.issuer = stored->issuer;
      options.clientId = stored->clientId;
      options.clientSecret = stored->clientSecret;
      options.trust.caCertificatePem = stored->issuerCaPem;
      auth::OidcClient client(context_.transport, context_.clock, std::move(options));
      auth::OidcGrant answer = client.refresh(stored->refreshToken, deadline);
      if (answer.status != GrantStatus::Granted) return failed(answer.status, answer.detail);
      if (!answer.tokens.refreshToken.empty()) stored->refreshToken = answer.tokens.refreshToken;
      return granted(answer.tokens.idToken.empty() ? std::move(answer.tokens.accessToken)
                                                   : std::move(answer.tokens.idToken),
                     oidcRefreshColumn(*stored), answer.tokens.expiresIn);
    } catch (const Error& error) {
      return failed(error.code() == ErrorCode::InvalidArgument ? GrantStatus::ClientRefused
                                                               : GrantStatus::Unavailable,
                    error.what());
    }
  }

 private:
  const SchemeContext context_;
};

/// Signs its tokens itself.
class AwsScheme final : public TokenScheme {
 public:
  explicit AwsScheme(SchemeContext context) : context_(std::move(context)) {}

  [[nodiscard]] std::optional<ConnectedUser> user(const TokenRecord&) const override {
    return labelled("AWS IAM", "IAM");
  }
  [[nodiscard]] bool isRenewable(const TokenRecord&) const override { return true; }
  [[nodiscard]] GrantResult renew(const EndpointRecord& endpoint, const TokenRecord& token,
                                  Deadline) const override {
    const auto identity = readEksIdentity(token);
    const auto url = Url::tryParse(endpoint.apiUrl);
    if (!identity || !url) return unreadable();
    constexpr auto kLife = std::chrono::duration_cast<std::chrono::seconds>(kEksTokenLife);
    return granted(
        makeEksToken(*identity, url->host(), context_.options.awsRegion, context_.clock.now()), {},
        kLife.count());
  }

 private:
  const SchemeContext context_;
};

class GoogleScheme final : public TokenScheme {
 public:
  explicit GoogleScheme(SchemeContext context) : context_(std::move(context)) {}

  [[nodiscard]] std::optional<ConnectedUser> user(const TokenRecord& token) const override {
    const auto stored = readGoogleUser(token.refreshToken.reveal());
    if (!stored || stored->email.empty()) return std::nullopt;
    return labelled(stored->email, stored->email);
  }
  [[nodiscard]] bool isRenewable(const TokenRecord&) const override { return true; }
  [[nodiscard]] GrantResult renew(const EndpointRecord&, const TokenRecord& token,
                                  Deadline deadline) const override {
    const auto stored = readGoogleUser(token.refreshToken.reveal());
    if (!stored) return unreadable();
    return askGoogle(context_, *stored, deadline).result;
  }

 private:
  const SchemeContext context_;
};

GrantResult readGoogleAnswer(http::ClientResponse& response, std::string& body) {
  if (response.failed()) return failed(GrantStatus::Unavailable, response.detail);
  body = response.body.readAll(kAnswerLimitBytes);
  const std::string said = "Google answered " + std::to_string(response.status);
  if (response.status != 200) {
    const std::string error = findJsonText(body, "error").value_or("");
    if (error == "invalid_grant") return failed(GrantStatus::Refused, said + " invalid_grant");
    if (error == "invalid_client" || error == "unauthorized_client") {
      return failed(GrantStatus::ClientRefused, said + " " + error);
    }
    return failed(GrantStatus::Unavailable, said);
  }
  const auto token = findJsonText(body, "access_token");
  if (!token || token->empty()) return failed(GrantStatus::Unavailable, said + " without a token");
  return granted(Secret{*token}, {}, findJsonInteger(body, "expires_in").value_or(0));
}

}  // namespace

GoogleGrant askGoogle(const SchemeContext& context, const GoogleUser& user, Deadline deadline) {
  GoogleGrant grant;
  try {
    http::ClientResponse response =
        context.transport.send({.method = "POST",
                                .url = Url::parse(context.options.googleTokenUrl),
                                .headers = {{"Content-Type", "application/x-www-form-urlencoded"},
                                            {"Accept", "application/json"}},
                                .body = encodeForm({{"client_id", user.clientId},
                                                    {"client_secret", user.clientSecret.reveal()},
                                                    {"refresh_token", user.refreshToken.reveal()},
                                                    {"grant_type", "refresh_token"}}),
                                .trust = context.options.googleTrust,
                                .deadline = deadline});
    std::string body;
    grant.result = readGoogleAnswer(response, body);
    const std::string claims = jwtPayload(findJsonText(body, "id_token").value_or(""));
    grant.email = findJsonText(claims, "email").value_or("");
  } catch (const Error& error) {
    grant.result = failed(GrantStatus::Unavailable, error.what());
  }
  return grant;
}

std::map<std::string, std::unique_ptr<auth::AuthScheme>> makeSchemes(const SchemeContext& context) {
  std::map<std::string, std::unique_ptr<auth::AuthScheme>> schemes;
  schemes["k8s-token"] = std::make_unique<ServiceAccountScheme>();
  schemes["kube-cert-auth"] = std::make_unique<CertificateScheme>();
  schemes["kubeconfig-az"] = std::make_unique<CertificateScheme>();
  schemes["OIDC"] = std::make_unique<OidcScheme>(context);
  schemes["aws-iam"] = std::make_unique<AwsScheme>(context);
  schemes["gke-auth"] = std::make_unique<GoogleScheme>(context);
  return schemes;
}

}  // namespace stratos::ext::kubernetes
