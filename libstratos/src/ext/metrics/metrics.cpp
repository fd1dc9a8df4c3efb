#include "stratos/ext/metrics.hpp"

#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"
#include "stratos/base/json_text.hpp"
#include "stratos/base/json_writer.hpp"
#include "stratos/base/url.hpp"
#include "stratos/endpoint/connect_form.hpp"
#include "stratos/endpoint/endpoint_call.hpp"

namespace stratos::ext {

namespace {

using endpoint::ConnectResult;
using endpoint::EndpointAnswer;
using endpoint::ProbeResult;
using store::EndpointRecord;

/// What a server of Stratos Metrics says of itself.
constexpr const char* kDescription = "/stratos";
constexpr const char* kConfiguration = "/api/v1/status/config";
constexpr const char* kFirehose = "/api/v1/query?query=firehose_total_metrics_received";
constexpr std::size_t kMaxMetadataBytes = 64 * 1024;

/// The foundation whose firehose the server records, from the first series; empty when there is
/// none.
std::string foundationOf(const EndpointAnswer& answer) {
  if (answer.failed() || answer.status != 200) return {};
  const auto environment = findJsonText(answer.body, "data/result/0/metric/environment");
  if (!environment || environment->empty()) return {};
  JsonWriter json;
  json.beginArray()
      .beginObject()
      .member("type", "cf")
      .member("url", environment->starts_with("wss://") ? *environment : "wss://" + *environment)
      .member("job", findJsonText(answer.body, "data/result/0/metric/job").value_or(""))
      .member("environment", *environment)
      .endObject()
      .endArray();
  return json.str();
}

class MetricsType final : public endpoint::EndpointType {
 public:
  MetricsType(http::Transport& transport, const auth::AuthSchemes& schemes)
      : transport_(transport), schemes_(schemes) {}

  [[nodiscard]] std::string_view name() const noexcept override { return "metrics"; }

  [[nodiscard]] ProbeResult probe(const EndpointRecord& candidate, Deadline deadline) override {
    const EndpointAnswer answer = endpoint::fetch(transport_, candidate, "", {}, deadline);
    if (answer.failed()) return endpoint::unreachable(answer);
    if (answer.status < 400 || answer.status == 401) return endpoint::accepted(candidate);
    return endpoint::notThatKind("it answered " + std::to_string(answer.status) +
                                 "; api_endpoint must be the address of a Prometheus server");
  }

  [[nodiscard]] ConnectResult connect(const EndpointRecord& record,
                                      const http::FormParameters& form,
                                      Deadline deadline) override {
    const std::string& kind = form.get("connect_type");
    if (kind == "none") {
      return finish(record, endpoint::namedToken("HttpBasic", toBase64("none:none"), "none"), {},
                    deadline);
    }
    if (kind != "creds") return endpoint::notConnected("connect_type must be creds or none");
    const endpoint::BasicFields fields = endpoint::readBasicFields(form);
    if (!fields.problem.empty()) return endpoint::notConnected(fields.problem);
    auto token = endpoint::namedToken("HttpBasic", fields.encoded, fields.userName);
    auth::Credential credential = schemes_.of(token).credential(token);
    return finish(record, std::move(token), credential, deadline);
  }

 private:
  ConnectResult finish(const EndpointRecord& record, store::TokenRecord token,
                       const auth::Credential& credential, Deadline deadline) {
    const auto get = [&](const char* target) {
      return endpoint::fetch(transport_, record, target, credential, deadline);
    };
    const EndpointAnswer description = get(kDescription);
    if (description.failed()) return endpoint::notConnected(description.problem, 502);
    if (description.status == 200 && description.body.size() <= kMaxMetadataBytes &&
        isJsonArray(description.body)) {
      token.metadata = description.body;
      return endpoint::connected(std::move(token));
    }
    const EndpointAnswer configuration = get(kConfiguration);
    if (configuration.failed()) return endpoint::notConnected(configuration.problem, 502);
    if (configuration.status == 401 || configuration.status == 403) {
      return endpoint::notConnected(
          credential.authorization.empty()
              ? "it wants user name and password; choose connect_type creds"
              : "it does not accept username and password; check them");
    }
    if (configuration.status != 200) {
      return endpoint::notConnected("it answered " + std::to_string(configuration.status) + " to " +
                                    kConfiguration + ", which is not what Prometheus does");
    }
    token.metadata = foundationOf(get(kFirehose));
    return endpoint::connected(std::move(token));
  }

  http::Transport& transport_;
  const auth::AuthSchemes& schemes_;
};

/// Same server, however it is spelt.
bool isSameServer(const std::string& a, const std::string& b) {
  const auto plain = [](const Url& url) {
    return url.withPath(url.rawPath()).withoutTrailingSlash();
  };
  const auto left = Url::tryParse(a);
  const auto right = Url::tryParse(b);
  return left && right && plain(*left) == plain(*right);
}

/// Tells the front end which endpoints have metrics, and where: those that a metrics endpoint to
/// which the user is connected says it records.
class Annotator {
 public:
  Annotator(endpoint::EndpointRegistry& endpoints, store::TokenStore& tokens, LogSink& log)
      : endpoints_(endpoints), tokens_(tokens), log_(log) {}

  [[nodiscard]] std::map<std::string, std::string> metadataOf(
      const EndpointRecord& endpoint, const auth::ConnectedUser& user) const {
    const endpoint::Caller caller{.user = UserId{user.guid}, .isAdmin = [&] { return user.admin; }};
    for (const EndpointRecord& metrics : endpoints_.listVisible(caller)) {
      if (metrics.type != "metrics") continue;
      const std::string relations = relationsOf(caller.user, metrics.id);
      for (int i = 0; i < kMaxRelations; ++i) {
        const std::string at = std::to_string(i) + "/";
        const auto url = findJsonText(relations, at + "url");
        if (!url) break;
        const bool isFirehose = isSameServer(*url, endpoint.dopplerLoggingEndpoint);
        if (!isFirehose && !isSameServer(*url, endpoint.apiUrl)) continue;
        const std::string environment = findJsonText(relations, at + "environment").value_or("");
        return {{"metrics", metrics.id.str()},
                {"metrics_job", findJsonText(relations, at + "job").value_or("")},
                {"metrics_environment", isFirehose ? environment : ""}};
      }
    }
    return {};
  }

 private:
  static constexpr int kMaxRelations = 50;

  std::string relationsOf(const UserId& user, const EndpointId& metrics) const {
    try {
      const auto token = tokens_.findForEndpoint(user, metrics);
      return token ? token->metadata : std::string{};
    } catch (const Error& error) {
      if (error.code() != ErrorCode::Internal) throw;
      log(log_, LogLevel::Warning, "the token of a metrics endpoint cannot be read",
          {{"endpoint", metrics.str()}, {"reason", error.what()}});
      return {};
    }
  }

  endpoint::EndpointRegistry& endpoints_;
  store::TokenStore& tokens_;
  LogSink& log_;
};

class Metrics final : public Extension {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "metrics"; }
  void attach(ExtensionHost& host) override {
    host.addEndpointType(
        std::make_unique<MetricsType>(host.transport(), host.tokenProvider().schemes()));
    host.addInfo(
        {.pluginConfig = {},
         .endpointMetadata = [annotator = Annotator(host.endpoints(), host.tokens(), host.log())](
                                 const EndpointRecord& endpoint, const auth::ConnectedUser& user) {
           return annotator.metadataOf(endpoint, user);
         }});
  }
};

}  // namespace

std::unique_ptr<Extension> makeMetrics() { return std::make_unique<Metrics>(); }

}  // namespace stratos::ext
