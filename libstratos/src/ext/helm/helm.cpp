#include "stratos/ext/helm.hpp"

#include "stratos/base/encoding.hpp"
#include "stratos/base/json_text.hpp"
#include "stratos/endpoint/connect_form.hpp"
#include "stratos/endpoint/endpoint_call.hpp"

namespace stratos::ext {

namespace {

using endpoint::ConnectResult;
using endpoint::EndpointAnswer;
using endpoint::ProbeResult;
using store::EndpointRecord;

constexpr const char* kIndex = "/index.yaml";
/// A small answer that only Artifact Hub gives (https://artifacthub.io/docs/api/).
constexpr const char* kHubSearch = "/api/v1/packages/search?kind=0&limit=1";

bool isHub(const EndpointRecord& endpoint) { return endpoint.subType == "hub"; }

/// Sign-in pages and the like, which answer with 200 to everything.
bool isWebPage(const EndpointAnswer& answer) {
  return toLower(answer.contentType).starts_with("text/html") || trim(answer.body).starts_with("<");
}

class HelmType final : public endpoint::EndpointType {
 public:
  HelmType(http::Transport& transport, const auth::AuthSchemes& schemes, HelmOptions options)
      : transport_(transport), schemes_(schemes), options_(options) {}

  [[nodiscard]] std::string_view name() const noexcept override { return "helm"; }

  [[nodiscard]] ProbeResult probe(const EndpointRecord& candidate, Deadline deadline) override {
    if (isHub(candidate)) return probeHub(candidate, deadline);
    if (candidate.subType != "repo") return endpoint::notThatKind("sub_type must be repo or hub");
    const EndpointAnswer answer = endpoint::fetch(transport_, candidate, kIndex, {}, deadline);
    if (answer.failed()) return endpoint::unreachable(answer);
    // 401: a private repository, to be connected.
    if (answer.status == 401 || isIndex(answer)) return endpoint::accepted(candidate);
    return endpoint::notThatKind(noIndex(answer));
  }

  [[nodiscard]] ConnectResult connect(const EndpointRecord& record,
                                      const http::FormParameters& form,
                                      Deadline deadline) override {
    if (isHub(record)) {
      return endpoint::notConnected("Artifact Hub is used without being connected");
    }
    if (form.get("connect_type") != "creds") {
      return endpoint::notConnected(
          "chart repositories are used without being connected, or with connect_type creds");
    }
    const endpoint::BasicFields fields = endpoint::readBasicFields(form);
    if (!fields.problem.empty()) return endpoint::notConnected(fields.problem);
    auto token = endpoint::namedToken("HttpBasic", fields.encoded, fields.userName);
    const EndpointAnswer answer =
        endpoint::fetch(transport_, record, kIndex, schemes_.of(token).credential(token), deadline);
    if (answer.failed()) return endpoint::notConnected(answer.problem, 502);
    if (answer.status == 401 || answer.status == 403) {
      return endpoint::notConnected("it does not accept username and password; check them");
    }
    if (!isIndex(answer)) return endpoint::notConnected(noIndex(answer));
    return endpoint::connected(std::move(token));
  }

 private:
  ProbeResult probeHub(const EndpointRecord& candidate, Deadline deadline) {
    if (options_.artifactHubDisabled) {
      return endpoint::notThatKind("Artifact Hub is switched off here (ARTIFACT_HUB_DISABLED)");
    }
    const EndpointAnswer answer = endpoint::fetch(transport_, candidate, kHubSearch, {}, deadline);
    if (answer.failed()) return endpoint::unreachable(answer);
    if (answer.status == 200 && isJsonObject(answer.body)) return endpoint::accepted(candidate);
    return endpoint::notThatKind(
        "it answered " + std::to_string(answer.status) +
        " to a search, which is not what Artifact Hub does; "
        "api_endpoint must be https://artifacthub.io or a hub of your own");
  }

  static bool isIndex(const EndpointAnswer& answer) {
    return answer.status < 400 && !isWebPage(answer);
  }

  static std::string noIndex(const EndpointAnswer& answer) {
    return "it answered " + std::to_string(answer.status) + " to " + kIndex +
           (isWebPage(answer) ? " with a web page" : "") +
           "; api_endpoint must be the address below which index.yaml lies";
  }

  http::Transport& transport_;
  const auth::AuthSchemes& schemes_;
  const HelmOptions options_;
};

class Helm final : public Extension {
 public:
  explicit Helm(HelmOptions options) : options_(options) {}
  /// As the front end looks for it.
  [[nodiscard]] std::string_view name() const noexcept override { return "monocular"; }
  void attach(ExtensionHost& host) override {
    host.addEndpointType(
        std::make_unique<HelmType>(host.transport(), host.tokenProvider().schemes(), options_));
    host.addInfo({.pluginConfig =
                      [disabled = options_.artifactHubDisabled] {
                        return std::map<std::string, std::string>{
                            {"artifactHubDisabled", disabled ? "true" : "false"}};
                      },
                  .endpointMetadata = {}});
  }

 private:
  const HelmOptions options_;
};

}  // namespace

std::unique_ptr<Extension> makeHelm(HelmOptions options) { return std::make_unique<Helm>(options); }

}  // namespace stratos::ext
