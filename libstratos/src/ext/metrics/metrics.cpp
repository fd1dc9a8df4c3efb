#include "stratos/ext/metrics.hpp"

#include "stratos/base/encoding.hpp"
#include "stratos/base/json_text.hpp"
#include "stratos/base/json_writer.hpp"
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

class Metrics final : public Extension {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "metrics"; }
  void attach(ExtensionHost& host) override {
    host.addEndpointType(
        std::make_unique<MetricsType>(host.transport(), host.tokenProvider().schemes()));
  }
};

}  // namespace

std::unique_ptr<Extension> makeMetrics() { return std::make_unique<Metrics>(); }

}  // namespace stratos::ext
