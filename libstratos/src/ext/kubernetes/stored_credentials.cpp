#include "ext/kubernetes/stored_credentials.hpp"

#include "stratos/auth/jwt.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/json_text.hpp"
#include "stratos/base/json_writer.hpp"

namespace stratos::ext::kubernetes {

namespace {

using store::TokenRecord;

std::string textOf(std::string_view json, std::string_view name) {
  return findJsonText(json, name).value_or("");
}

}  // namespace

std::int64_t distantExpiry(TimePoint now) {
  constexpr std::chrono::hours kLong{100'000};
  return toUnixSeconds(now + kLong);
}

TokenRecord makeCertificateToken(const StoredCertificate& certificate, TimePoint now) {
  JsonWriter json;
  json.beginObject()
      .member("cert", certificate.certificatePem)
      .member("certKey", certificate.keyPem.reveal());
  if (!certificate.token.empty()) json.member("token", certificate.token.reveal());
  json.endObject();
  TokenRecord token;
  token.authType = certificate.token.empty() ? "kube-cert-auth" : "kubeconfig-az";
  token.authToken = Secret{json.str()};
  token.refreshToken = token.authToken;
  token.expiry = distantExpiry(now);
  return token;
}

std::optional<StoredCertificate> readCertificate(const TokenRecord& token) {
  const std::string& json = token.authToken.reveal();
  StoredCertificate certificate{.certificatePem = textOf(json, "cert"),
                                .keyPem = Secret{textOf(json, "certKey")},
                                .token = Secret{textOf(json, "token")}};
  if (certificate.certificatePem.empty() || certificate.keyPem.empty()) return std::nullopt;
  return certificate;
}

TokenRecord makeServiceAccountToken(std::string text, TimePoint now) {
  TokenRecord token;
  token.authType = "k8s-token";
  token.authToken = Secret{std::move(text)};
  token.refreshToken = Secret{"__NONE__"};
  token.expiry = distantExpiry(now);
  return token;
}

Secret oidcRefreshColumn(const StoredOidc& oidc) {
  if (oidc.clientSecret.empty() || oidc.refreshToken.empty()) return oidc.refreshToken;
  JsonWriter json;
  json.beginObject()
      .member("refreshToken", oidc.refreshToken.reveal())
      .member("clientSecret", oidc.clientSecret.reveal())
      .endObject();
  return Secret{json.str()};
}

TokenRecord makeOidcToken(const Secret& idToken, const StoredOidc& oidc) {
  JsonWriter json;
  json.beginObject()
      .member("ClientID", oidc.clientId)
      .member("ClientSecret", "")
      .member("IssuerURL", oidc.issuer);
  if (!oidc.issuerCaPem.empty()) json.member("IssuerCA", oidc.issuerCaPem);
  json.endObject();
  TokenRecord token;
  token.authType = "OIDC";
  token.authToken = idToken;
  token.refreshToken = oidcRefreshColumn(oidc);
  token.metadata = json.str();
  const auto claims = auth::decodeJwt(idToken.reveal());
  token.expiry = claims ? claims->expiry : 0;
  return token;
}

std::optional<StoredOidc> readOidc(const TokenRecord& token) {
  StoredOidc oidc{.issuer = textOf(token.metadata, "IssuerURL"),
                  .issuerCaPem = textOf(token.metadata, "IssuerCA"),
                  .clientId = textOf(token.metadata, "ClientID"),
                  .clientSecret = Secret{textOf(token.metadata, "ClientSecret")},
                  .refreshToken = token.refreshToken};
  if (oidc.issuer.empty() || oidc.clientId.empty() || oidc.refreshToken.empty()) {
    return std::nullopt;
  }
  const std::string& column = token.refreshToken.reveal();
  const std::string secret = textOf(column, "clientSecret");
  if (!secret.empty()) {
    oidc.clientSecret = Secret{secret};
    oidc.refreshToken = Secret{textOf(column, "refreshToken")};
  }
  return oidc;
}

Secret awsRefreshColumn(const EksIdentity& identity) {
  JsonWriter json;
  json.beginObject()
      .member("cluster", identity.cluster)
      .member("accessKey", identity.accessKey)
      .member("secretKey", identity.secretKey.reveal())
      .endObject();
  return Secret{json.str()};
}

std::optional<EksIdentity> readEksIdentity(const TokenRecord& token) {
  const std::string& json = token.refreshToken.reveal();
  EksIdentity identity{.cluster = textOf(json, "cluster"),
                       .accessKey = textOf(json, "accessKey"),
                       .secretKey = Secret{textOf(json, "secretKey")}};
  if (identity.cluster.empty() || identity.accessKey.empty() || identity.secretKey.empty()) {
    return std::nullopt;
  }
  return identity;
}

std::optional<GoogleUser> readGoogleUser(std::string_view json) {
  GoogleUser user{.clientId = textOf(json, "client_id"),
                  .clientSecret = Secret{textOf(json, "client_secret")},
                  .refreshToken = Secret{textOf(json, "refresh_token")},
                  .email = textOf(json, "email")};
  if (textOf(json, "type") != "authorized_user" || user.clientId.empty() ||
      user.refreshToken.empty()) {
    return std::nullopt;
  }
  return user;
}

Secret googleRefreshColumn(const GoogleUser& user) {
  JsonWriter json;
  json.beginObject()
      .member("client_id", user.clientId)
      .member("client_secret", user.clientSecret.reveal())
      .member("refresh_token", user.refreshToken.reveal())
      .member("type", "authorized_user")
      .member("email", user.email)
      .endObject();
  return Secret{json.str()};
}

std::string jwtPayload(std::string_view token) {
  const auto parts = split(token, '.');
  if (parts.size() != 3) return {};
  return fromBase64(parts[1]).value_or("");
}

}  // namespace stratos::ext::kubernetes
