#include "stratos/auth/oidc_client.hpp"

#include <algorithm>

#include "auth/cached_document.hpp"
#include "auth/json_support.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"
#include "stratos/crypto/digest.hpp"

namespace stratos::auth {

namespace {

constexpr std::size_t kAnswerLimitBytes = 256 * 1024;
constexpr std::chrono::milliseconds kCallTimeout{15'000};
constexpr detail::DocumentLimits kDiscoveryLimits{std::chrono::hours{1}, std::chrono::seconds{3}};
/// What fits into the request line of common servers.
constexpr std::size_t kMaxHintBytes = 4096;

bool isLoopback(const Url& url) {
  return url.host() == "localhost" || url.host() == "::1" || url.host().starts_with("127.");
}

bool contains(const std::vector<std::string>& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

std::string withQuery(const std::string& endpoint, const FormFields& fields) {
  return endpoint + (endpoint.find('?') == std::string::npos ? '?' : '&') + encodeForm(fields);
}

std::string codeOnly(std::string error) {
  const bool isCode = error.size() <= 64 && std::all_of(error.begin(), error.end(), [](char c) {
                        return (c >= 'a' && c <= 'z') || c == '_';
                      });
  return isCode ? std::move(error) : std::string{};
}

OidcGrant failed(GrantStatus status, std::string detail) {
  return {.status = status, .tokens = {}, .detail = std::move(detail)};
}

}  // namespace

class OidcClient::Impl {
 public:
  Impl(http::Transport& transport, const Clock& clock, OidcOptions options)
      : transport_(transport), options_(std::move(options)), discovery_(clock, kDiscoveryLimits) {
    const auto issuer = Url::tryParse(options_.issuer);
    if (!issuer || !issuer->rawQuery().empty() || options_.issuer.find('#') != std::string::npos) {
      throw Error(ErrorCode::InvalidArgument,
                  "OIDC_ISSUER is no http or https URL; set it to the provider's issuer");
    }
    if (issuer->scheme() != "https" && !(issuer->scheme() == "http" && isLoopback(*issuer))) {
      throw Error(ErrorCode::InvalidArgument,
                  "OIDC_ISSUER must be an https URL: its keys decide who may sign in");
    }
    if (options_.clientId.empty()) {
      throw Error(ErrorCode::InvalidArgument,
                  "OIDC_CLIENT_ID is empty; set it to the client registered for the console");
    }
    if (!contains(options_.scopes, "openid")) {
      options_.scopes.insert(options_.scopes.begin(), "openid");
    }
  }

  const OidcOptions& options() const { return options_; }

  std::shared_ptr<const OidcMetadata> metadata(Deadline deadline) {
    auto found = discovery_.get(deadline, [&] { return discover(deadline); });
    if (found) return found;
    const std::string problem = discovery_.problem();
    throw Error(ErrorCode::Unavailable,
                "the OpenID Connect provider cannot be used: " +
                    (problem.empty() ? std::string{"it did not answer in time"} : problem),
                "The identity provider cannot be reached");
  }

  OidcGrant request(FormFields form, Deadline deadline) {
    std::shared_ptr<const OidcMetadata> provider;
    try {
      provider = metadata(deadline);
    } catch (const Error& error) {
      return failed(GrantStatus::Unavailable, error.what());
    }
    http::ClientRequest request{.method = "POST",
                                .url = Url::parse(provider->tokenEndpoint),
                                .headers = {{"Content-Type", "application/x-www-form-urlencoded"},
                                            {"Accept", "application/json"}},
                                .body = {},
                                .trust = options_.trust,
                                .deadline = earliest(deadline, Deadline::after(kCallTimeout))};
    if (!authenticate(*provider, form, request.headers)) {
      return failed(GrantStatus::ClientRefused,
                    "the provider takes the client's secret in no way that is supported");
    }
    request.body = encodeForm(form);
    return readGrant(transport_.send(std::move(request)));
  }

  std::optional<std::string> userInfo(const Secret& accessToken, Deadline deadline) {
    const auto provider = metadata(deadline);
    if (provider->userInfoEndpoint.empty()) return std::nullopt;
    http::ClientResponse response =
        transport_.send({.method = "GET",
                         .url = Url::parse(provider->userInfoEndpoint),
                         .headers = {{"Authorization", "Bearer " + accessToken.reveal()},
                                     {"Accept", "application/json"}},
                         .body = {},
                         .trust = options_.trust,
                         .deadline = earliest(deadline, Deadline::after(kCallTimeout))});
    if (response.failed() || response.status != 200) return std::nullopt;
    std::string text = readText(response);
    if (!detail::parseObject(text)) return std::nullopt;
    return text;
  }

 private:
  using Discovery = detail::CachedDocument<OidcMetadata>;

  /// Empty when the answer breaks off or is too large, which nothing that is expected here is.
  static std::string readText(http::ClientResponse& response) {
    try {
      return response.body.readAll(kAnswerLimitBytes);
    } catch (const Error&) {
      return {};
    }
  }

  bool authenticate(const OidcMetadata& provider, FormFields& form, http::Headers& headers) const {
    const auto& methods = provider.tokenAuthMethods;
    if (options_.clientSecret.empty()) {
      form.emplace_back("client_id", options_.clientId);
      return true;
    }
    // Basic is the default (Discovery 1.0 section 3).
    if (methods.empty() || contains(methods, "client_secret_basic")) {
      // Form-encoded before the Basic scheme is applied (RFC 6749 section 2.3.1).
      headers.set("Authorization",
                  "Basic " + toBase64(encodeFormValue(options_.clientId) + ":" +
                                      encodeFormValue(options_.clientSecret.reveal())));
      return true;
    }
    if (!contains(methods, "client_secret_post")) return false;
    form.emplace_back("client_id", options_.clientId);
    form.emplace_back("client_secret", options_.clientSecret.reveal());
    return true;
  }

  OidcGrant readGrant(http::ClientResponse response) {
    if (response.failed()) return failed(GrantStatus::Unavailable, response.detail);
    const auto answer = detail::parseObject(readText(response));
    std::string said = "the token endpoint answered " + std::to_string(response.status);
    if (response.status != 200) {
      const std::string error = answer ? codeOnly(detail::stringMember(*answer, "error")) : "";
      if (!error.empty()) said += " " + error;
      const bool isVerdict = response.status == 400 || response.status == 401;
      if (isVerdict && error == "invalid_grant") return failed(GrantStatus::Refused, said);
      const bool isClient = error == "invalid_client" || error == "unauthorized_client" ||
                            error == "unsupported_grant_type" || error == "invalid_scope" ||
                            error == "invalid_request";
      return failed(isVerdict && isClient ? GrantStatus::ClientRefused : GrantStatus::Unavailable,
                    said);
    }
    OidcGrant grant;
    if (answer) {
      grant.tokens.accessToken = Secret{detail::stringMember(*answer, "access_token")};
      grant.tokens.refreshToken = Secret{detail::stringMember(*answer, "refresh_token")};
      grant.tokens.idToken = Secret{detail::stringMember(*answer, "id_token")};
      grant.tokens.expiresIn = detail::integerMember(*answer, "expires_in");
    }
    if (grant.tokens.accessToken.empty() ||
        !equalsIgnoreCase(detail::stringMember(*answer, "token_type"), "bearer")) {
      return failed(GrantStatus::Unavailable, said + " without a bearer token");
    }
    grant.status = GrantStatus::Granted;
    return grant;
  }

  Discovery::Fetched discover(Deadline deadline) {
    std::string issuer = options_.issuer;
    while (issuer.ends_with('/')) issuer.pop_back();
    http::ClientResponse response =
        transport_.send({.method = "GET",
                         .url = Url::parse(issuer + "/.well-known/openid-configuration"),
                         .headers = {{"Accept", "application/json"}},
                         .body = {},
                         .trust = options_.trust,
                         .deadline = earliest(deadline, Deadline::after(kCallTimeout))});
    if (response.failed()) return {nullptr, response.detail};
    if (response.status != 200) {
      return {nullptr, "its discovery document is answered with " +
                           std::to_string(response.status) + "; check OIDC_ISSUER"};
    }
    const auto json = detail::parseObject(readText(response));
    if (!json) return {nullptr, "its discovery document is no JSON object; check OIDC_ISSUER"};
    return readMetadata(*json);
  }

  Discovery::Fetched readMetadata(const Poco::JSON::Object& json) const {
    auto found = std::make_shared<OidcMetadata>();
    found->issuer = detail::stringMember(json, "issuer");
    if (found->issuer != options_.issuer) {
      return {nullptr,
              "it calls itself another issuer than OIDC_ISSUER says; they must be the "
              "same to the last character"};
    }
    found->authorizationEndpoint = detail::stringMember(json, "authorization_endpoint");
    found->tokenEndpoint = detail::stringMember(json, "token_endpoint");
    found->keysUrl = detail::stringMember(json, "jwks_uri");
    found->userInfoEndpoint = detail::stringMember(json, "userinfo_endpoint");
    found->endSessionEndpoint = detail::stringMember(json, "end_session_endpoint");
    const bool mustBeSecure = Url::parse(options_.issuer).isSecure();
    const auto isUsable = [&](const std::string& text) {
      const auto url = Url::tryParse(text);
      if (!url || text.find('#') != std::string::npos) return false;
      return url->scheme() == "https" || (!mustBeSecure && url->scheme() == "http");
    };
    for (const auto* required :
         {&found->authorizationEndpoint, &found->tokenEndpoint, &found->keysUrl}) {
      if (!isUsable(*required)) {
        return {nullptr, "its discovery document lacks an endpoint, or one is not secure"};
      }
    }
    for (auto* optional : {&found->userInfoEndpoint, &found->endSessionEndpoint}) {
      if (!isUsable(*optional)) optional->clear();
    }
    found->tokenAuthMethods = detail::listMember(json, "token_endpoint_auth_methods_supported");
    found->signatureAlgorithms = detail::listMember(json, "id_token_signing_alg_values_supported");
    const auto flag = json.get("authorization_response_iss_parameter_supported");
    found->sendsIssuer = flag.isBoolean() && flag.extract<bool>();
    return {std::move(found), {}};
  }

  http::Transport& transport_;
  OidcOptions options_;
  Discovery discovery_;
};

OidcClient::OidcClient(http::Transport& transport, const Clock& clock, OidcOptions options)
    : impl_(std::make_unique<Impl>(transport, clock, std::move(options))) {}

OidcClient::~OidcClient() = default;

const OidcOptions& OidcClient::options() const noexcept { return impl_->options(); }

std::shared_ptr<const OidcMetadata> OidcClient::metadata(Deadline deadline) {
  return impl_->metadata(deadline);
}

std::string OidcClient::authorizeUrl(const SsoFlow& flow, Deadline deadline) {
  std::string scopes;
  for (const std::string& scope : options().scopes) {
    scopes += (scopes.empty() ? "" : " ") + scope;
  }
  FormFields fields{{"response_type", "code"},
                    {"client_id", options().clientId},
                    {"redirect_uri", flow.redirectUri},
                    {"scope", scopes},
                    {"state", flow.state},
                    {"nonce", flow.nonce},
                    {"code_challenge", toBase64Url(crypto::sha256(flow.codeVerifier.reveal()))},
                    {"code_challenge_method", "S256"}};
  if (!options().prompt.empty()) fields.emplace_back("prompt", options().prompt);
  return withQuery(metadata(deadline)->authorizationEndpoint, fields);
}

OidcGrant OidcClient::redeem(const Secret& code, const SsoFlow& flow, Deadline deadline) {
  return impl_->request({{"grant_type", "authorization_code"},
                         {"code", code.reveal()},
                         {"redirect_uri", flow.redirectUri},
                         {"code_verifier", flow.codeVerifier.reveal()}},
                        deadline);
}

OidcGrant OidcClient::refresh(const Secret& refreshToken, Deadline deadline) {
  return impl_->request({{"grant_type", "refresh_token"}, {"refresh_token", refreshToken.reveal()}},
                        deadline);
}

std::optional<std::string> OidcClient::userInfo(const Secret& accessToken, Deadline deadline) {
  return impl_->userInfo(accessToken, deadline);
}

std::string OidcClient::endSessionUrl(const std::string& returnTo, const Secret& idToken,
                                      Deadline deadline) {
  const auto provider = metadata(deadline);
  if (provider->endSessionEndpoint.empty()) return {};
  // Providers compare the address with what is registered, so nothing variable may be part of it.
  constexpr std::string_view kState = "?state=";
  const auto query = returnTo.find(kState);
  FormFields fields{{"client_id", options().clientId},
                    {"post_logout_redirect_uri", returnTo.substr(0, query)}};
  if (query != std::string::npos) {
    fields.emplace_back("state", returnTo.substr(query + kState.size()));
  }
  if (!idToken.empty() && idToken.reveal().size() <= kMaxHintBytes) {
    fields.emplace_back("id_token_hint", idToken.reveal());
  }
  return withQuery(provider->endSessionEndpoint, fields);
}

}  // namespace stratos::auth
