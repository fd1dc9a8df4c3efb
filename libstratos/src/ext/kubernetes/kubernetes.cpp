#include "stratos/ext/kubernetes.hpp"

#include "ext/kubernetes/kubernetes_type.hpp"
#include "stratos/base/json_writer.hpp"
#include "stratos/base/url.hpp"
#include "stratos/endpoint/endpoint_call.hpp"
#include "stratos/http/form.hpp"

namespace stratos::ext {

namespace {

/// The import wizard of the front end waits five seconds.
constexpr std::chrono::milliseconds kCheckTimeout{4'500};

http::Response checkResult(int status, bool required, const std::string& message) {
  JsonWriter json;
  json.beginObject()
      .member("Status", status)
      .member("Required", required)
      .member("Error", !message.empty())
      .member("Message", message)
      .endObject();
  return http::Response::json(status, json.str());
}

/// Whether the import of a kubeconfig has to skip the check of that server's certificate.
http::Response checkCertificate(http::Transport& transport, http::Request& request) {
  const std::string url = http::readParameters(request).get("url");
  const auto parsed = Url::tryParse(url);
  if (!parsed || (parsed->scheme() != "https" && parsed->scheme() != "http") ||
      !parsed->userInfo().empty()) {
    return checkResult(400, false, "url must be the http or https URL of an API server");
  }
  store::EndpointRecord server;
  server.apiUrl = url;
  const auto answer =
      endpoint::fetch(transport, server, "/api", {}, Deadline::after(kCheckTimeout));
  if (answer.failure == http::TransportFailure::Tls) return checkResult(200, true, "");
  if (answer.failed()) {
    return checkResult(500, false,
                       "Failed to validate Kube certificate requirement: " + answer.problem);
  }
  return checkResult(200, false, "");
}

class Kubernetes final : public Extension {
 public:
  explicit Kubernetes(KubernetesOptions options) : options_(std::move(options)) {}

  [[nodiscard]] std::string_view name() const noexcept override { return "kubernetes"; }

  void attach(ExtensionHost& host) override {
    const kubernetes::SchemeContext context{host.transport(), host.clock(), options_};
    for (auto& [authType, scheme] : kubernetes::makeSchemes(context)) {
      host.addAuthScheme(authType, std::move(scheme));
    }
    host.addEndpointType(
        std::make_unique<kubernetes::KubernetesType>(context, host.tokenProvider().schemes()));
    host.addRoute(RouteAccess::Admin, "GET", "/pp/v1/kube/cert",
                  [&transport = host.transport()](http::Request& request) {
                    return checkCertificate(transport, request);
                  });
  }

 private:
  const KubernetesOptions options_;
};

}  // namespace

std::unique_ptr<Extension> makeKubernetes(KubernetesOptions options) {
  return std::make_unique<Kubernetes>(std::move(options));
}

}  // namespace stratos::ext
