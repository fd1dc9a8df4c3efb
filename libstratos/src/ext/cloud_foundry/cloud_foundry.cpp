#include "stratos/ext/cloud_foundry.hpp"

#include <Poco/Exception.h>
#include <Poco/JSON/Object.h>
#include <Poco/JSON/Parser.h>

#include "ext/cloud_foundry/app_logs.hpp"
#include "ext/cloud_foundry/auto_registration.hpp"
#include "stratos/auth/uaa_client.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"
#include "stratos/crypto/digest.hpp"
#include "stratos/http/transport.hpp"

namespace stratos::ext {

namespace {

using endpoint::ConnectResult;
using endpoint::ProbeResult;
using endpoint::ProbeStatus;
using store::EndpointRecord;

/// The root document is a few KB.
constexpr std::size_t kDocumentLimitBytes = 256 * 1024;
constexpr std::size_t kColumnWidth = 255;
constexpr const char* kConnectFailed = "Could not connect to the endpoint";

http::TrustPolicy trustOf(const EndpointRecord& endpoint) {
  return {.skipVerification = endpoint.skipSslValidation,
          .caCertificatePem = endpoint.caCertificate};
}

ProbeResult notAccepted(ProbeStatus status, std::string detail) {
  ProbeResult result;
  result.status = status;
  result.detail = std::move(detail);
  return result;
}

std::string text(const Poco::JSON::Object& object, const std::string& name) {
  const Poco::Dynamic::Var value = object.get(name);
  return value.isString() ? value.extract<std::string>() : std::string{};
}

/// `links.<name>.href` of the root document; empty when absent.
std::string link(const Poco::JSON::Object& root, const std::string& name) {
  const auto links = root.getObject("links");
  const auto entry = links ? links->getObject(name) : nullptr;
  return entry ? text(*entry, "href") : std::string{};
}

/// A JSON document of the endpoint, or why there is none.
struct Document {
  Poco::JSON::Object::Ptr object;
  ProbeResult problem;  ///< Valid when there is no object.
};

Document fetch(http::Transport& transport, const EndpointRecord& candidate, const std::string& path,
               Deadline deadline) {
  const auto base = Url::tryParse(candidate.apiUrl);
  if (!base) return {nullptr, notAccepted(ProbeStatus::NotThatKind, "the address is no URL")};
  http::ClientResponse response = http::followRedirects(
      transport, {.method = "GET",
                  .url = base->withPath(base->withoutTrailingSlash().rawPath() + path),
                  .headers = {{"Accept", "application/json"}},
                  .body = {},
                  .trust = trustOf(candidate),
                  .deadline = deadline});
  switch (response.failure) {
    case http::TransportFailure::None:
      break;
    case http::TransportFailure::Tls:
      return {nullptr, notAccepted(ProbeStatus::TlsFailure, response.detail)};
    case http::TransportFailure::TimedOut:
      return {nullptr, notAccepted(ProbeStatus::Unreachable, "it did not answer in time")};
    case http::TransportFailure::Forbidden:
      return {nullptr, notAccepted(ProbeStatus::Unreachable, response.detail)};
    case http::TransportFailure::Refused:
    case http::TransportFailure::Broken:
    case http::TransportFailure::Cancelled:
      return {nullptr, notAccepted(ProbeStatus::Unreachable, "it cannot be reached")};
  }
  if (response.status != 200) {
    return {nullptr, notAccepted(ProbeStatus::NotThatKind,
                                 "it answered " + std::to_string(response.status) + " to " + path +
                                     ", which is not what a Cloud Foundry API does")};
  }
  try {
    Poco::JSON::Parser parser;
    parser.setDepth(32);
    const Poco::Dynamic::Var value = parser.parse(response.body.readAll(kDocumentLimitBytes));
    if (value.type() == typeid(Poco::JSON::Object::Ptr)) {
      return {value.extract<Poco::JSON::Object::Ptr>(), {}};
    }
  } catch (const Poco::Exception&) {
    // Not JSON; answered below.
  } catch (const Error& error) {
    if (error.code() != ErrorCode::InvalidArgument) {
      return {nullptr, notAccepted(ProbeStatus::Unreachable, "it broke off its answer")};
    }
  }
  return {nullptr, notAccepted(ProbeStatus::NotThatKind, "its answer to " + path +
                                                             " is not the JSON document of a "
                                                             "Cloud Foundry API")};
}

/// Takes the advertised services if users' passwords and tokens may be sent to them.
ProbeResult accept(const EndpointRecord& candidate, std::string authorization, std::string token,
                   const std::string& logging) {
  if (authorization.empty()) authorization = token;
  if (token.empty()) token = authorization;
  if (token.empty()) {
    return notAccepted(ProbeStatus::NotThatKind, "it names no authorization server");
  }
  for (const std::string& address : {authorization, token}) {
    const auto url = Url::tryParse(address);
    if (!url || address.size() > kColumnWidth ||
        (url->scheme() != "https" && url->scheme() != "http")) {
      return notAccepted(ProbeStatus::NotThatKind, "its authorization server has no usable URL");
    }
    if (Url::parse(candidate.apiUrl).isSecure() && !url->isSecure()) {
      return notAccepted(ProbeStatus::NotThatKind,
                         "its authorization server is not reached over https");
    }
  }
  ProbeResult result;
  result.status = ProbeStatus::Accepted;
  result.authorizationEndpoint = std::move(authorization);
  result.tokenEndpoint = std::move(token);
  if (logging.size() <= kColumnWidth) result.dopplerLoggingEndpoint = logging;
  return result;
}

ProbeResult probeCloudFoundry(http::Transport& transport, const EndpointRecord& candidate,
                              Deadline deadline) {
  Document root = fetch(transport, candidate, "/", deadline);
  if (!root.object && root.problem.status != ProbeStatus::NotThatKind) return root.problem;
  ProbeResult fromRoot;
  if (root.object) {
    fromRoot = accept(candidate, link(*root.object, "login"), link(*root.object, "uaa"),
                      link(*root.object, "logging"));
    if (fromRoot.status == ProbeStatus::Accepted) return fromRoot;
  }
  Document info = fetch(transport, candidate, "/v2/info", deadline);
  // A root document says more about what is wrong than the absence of the old API.
  if (!info.object) return root.object ? fromRoot : info.problem;
  return accept(candidate, text(*info.object, "authorization_endpoint"),
                text(*info.object, "token_endpoint"),
                text(*info.object, "doppler_logging_endpoint"));
}

class CloudFoundryType final : public endpoint::EndpointType {
 public:
  CloudFoundryType(http::Transport& transport, auth::UaaClient& uaa, const Clock& clock)
      : transport_(transport), uaa_(uaa), clock_(clock) {}

  [[nodiscard]] std::string_view name() const noexcept override { return "cf"; }

  [[nodiscard]] ProbeResult probe(const EndpointRecord& candidate, Deadline deadline) override {
    return probeCloudFoundry(transport_, candidate, deadline);
  }

  [[nodiscard]] ConnectResult connect(const EndpointRecord& record,
                                      const http::FormParameters& form,
                                      Deadline deadline) override {
    ConnectResult result;
    const std::string& kind = form.get("connect_type");
    if (kind == "passcode") {
      if (form.get("passcode").empty()) {
        result.message = "Needs passcode; get one at " + record.authorizationEndpoint + "/passcode";
        return result;
      }
      return toResult(
          uaa_.passcodeGrant(loginServerOf(record), Secret{form.get("passcode")}, deadline));
    }
    if (!kind.empty() && kind != "creds") {
      result.message =
          "Cloud Foundry endpoints are connected with user name and password, or with a passcode; "
          "connect_type must be creds or passcode";
      return result;
    }
    if (form.get("username").empty() || form.get("password").empty()) {
      result.message = "Needs username and password";
      return result;
    }
    return toResult(uaa_.passwordGrant(loginServerOf(record), form.get("username"),
                                       Secret{form.get("password")}, deadline));
  }

  [[nodiscard]] std::optional<std::string> authorizeUrl(const EndpointRecord& record,
                                                        const auth::SsoFlow& flow) const override {
    const auto base = Url::tryParse(record.authorizationEndpoint);
    if (!base) return std::nullopt;
    return base->withoutTrailingSlash().str() + "/oauth/authorize?" +
           encodeForm({{"response_type", "code"},
                       {"client_id", record.clientId},
                       {"redirect_uri", flow.redirectUri},
                       {"state", flow.state},
                       {"code_challenge", toBase64Url(crypto::sha256(flow.codeVerifier.reveal()))},
                       {"code_challenge_method", "S256"}});
  }

  [[nodiscard]] ConnectResult redeem(const EndpointRecord& record, const Secret& code,
                                     const auth::SsoFlow& flow, Deadline deadline) override {
    return toResult(uaa_.authorizationCodeGrant(loginServerOf(record), code, flow.redirectUri,
                                                flow.codeVerifier, deadline));
  }

 private:
  static auth::UaaTarget loginServerOf(const EndpointRecord& record) {
    return {.baseUrl = record.authorizationEndpoint,
            .clientId = record.clientId,
            .clientSecret = record.clientSecret,
            .trust = trustOf(record)};
  }

  [[nodiscard]] ConnectResult toResult(auth::GrantResult answer) const {
    ConnectResult result;
    if (answer.status != auth::GrantStatus::Granted) {
      const bool answered = answer.httpStatus >= 400;
      result.status = answered ? answer.httpStatus : 502;
      result.message = kConnectFailed;
      if (answered && !answer.description.empty()) result.message += ": " + answer.description;
      return result;
    }
    result.token.authType = "OAuth2";
    result.token.expiry = auth::expiryOf(answer.grant, clock_.now());
    result.token.authToken = std::move(answer.grant.accessToken);
    result.token.refreshToken = std::move(answer.grant.refreshToken);
    result.connected = true;
    return result;
  }

  http::Transport& transport_;
  auth::UaaClient& uaa_;
  const Clock& clock_;
};

class CloudFoundry final : public Extension {
 public:
  explicit CloudFoundry(CloudFoundryOptions options) : options_(std::move(options)) {}

  [[nodiscard]] std::string_view name() const noexcept override { return "cloudfoundry"; }
  void attach(ExtensionHost& host) override {
    host.addEndpointType(
        std::make_unique<CloudFoundryType>(host.transport(), host.uaaClient(), host.clock()));
    attachAppLogs(host);
    if (!options_.autoRegistration.url.empty()) {
      attachAutoRegistration(host, options_.autoRegistration);
    }
  }

 private:
  const CloudFoundryOptions options_;
};

}  // namespace

std::unique_ptr<Extension> makeCloudFoundry(CloudFoundryOptions options) {
  return std::make_unique<CloudFoundry>(std::move(options));
}

endpoint::ProbeResult discoverCloudFoundry(http::Transport& transport, const std::string& apiUrl,
                                           const http::TrustPolicy& trust, Deadline deadline) {
  store::EndpointRecord candidate;
  candidate.apiUrl = apiUrl;
  candidate.skipSslValidation = trust.skipVerification;
  candidate.caCertificate = trust.caCertificatePem;
  return probeCloudFoundry(transport, candidate, deadline);
}

}  // namespace stratos::ext
