#include <algorithm>
#include <string_view>

#include "stratos/base/encoding.hpp"
#include "stratos/base/url.hpp"
#include "stratos/crypto/digest.hpp"
#include "stratos/ext/cloud_foundry.hpp"

namespace stratos::ext {

namespace {

using http::HandlerFunction;
using http::Request;
using http::Response;

constexpr int kMovedPermanently = 301;
/// What the platform's health checks ask, without a router in between.
constexpr std::string_view kHealthPaths[] = {"/pp/v1/ping", "/pp/v1/version"};

/// The router says how the browser came. Whoever speaks to the process past the router and claims
/// https gains nothing by it: the field decides about nothing else.
Response insistOnHttps(Request& request, const HandlerFunction& next) {
  const std::string_view proto = trim(request.headers.get("x-forwarded-proto"));
  const bool isUpgrade = request.headers.has("upgrade") && request.headers.has("sec-websocket-key");
  const bool isHealthCheck = std::find(std::begin(kHealthPaths), std::end(kHealthPaths),
                                       request.rawPath()) != std::end(kHealthPaths);
  if (isUpgrade || isHealthCheck || proto == "https") return next(request);
  if (proto.empty()) {
    return Response::json(
        400, R"({"status":"error","error":"X-Forwarded-Proto is missing: this console )"
             R"(is reached through the router of its Cloud Foundry"})");
  }
  const std::string host{request.headers.get("host")};
  // A host of another form would lead elsewhere.
  const auto target = Url::tryParse("https://" + host + request.target);
  if (host.empty() || !target || target->authority() != toLower(host)) {
    return Response::json(400, R"({"status":"error","error":"Host is missing or malformed"})");
  }
  return Response::redirect(kMovedPermanently, "https://" + host + request.target);
}

/// A session cookie comes with one that makes the router remember the instance.
void addAffinity(const std::string& sessionCookie, Response& response) {
  std::string found;
  for (const std::string_view field : response.headers.all("set-cookie")) {
    if (field.starts_with(sessionCookie) && field.substr(sessionCookie.size(), 1) == "=") {
      found = std::string{field};
    }
  }
  if (found.empty()) return;
  const auto value = found.find('=') + 1;
  const auto attributes = std::min(found.find(';'), found.size());
  // Nothing may be learned of the session, and the same session gives the same value.
  const std::string id =
      attributes == value
          ? std::string{}
          : toHex(crypto::sha256("JSESSIONID|" + found.substr(value, attributes - value)))
                .substr(0, 32);
  response.headers.add("Set-Cookie", "JSESSIONID=" + id + found.substr(attributes));
}

class CloudFoundryHosting final : public Extension {
 public:
  explicit CloudFoundryHosting(CloudFoundryHostingOptions options) : options_(std::move(options)) {}

  [[nodiscard]] std::string_view name() const noexcept override { return "cloudfoundryhosting"; }

  void attach(ExtensionHost& host) override {
    host.addStep(&insistOnHttps);
    if (options_.keepBrowsersApart) {
      host.addStep(
          [cookie = host.sessionCookieName()](Request& request, const HandlerFunction& next) {
            Response response = next(request);
            addAffinity(cookie, response);
            return response;
          });
    }
    const std::string disabled = options_.disablePersistenceFeatures ? "true" : "false";
    host.addInfo(
        {.pluginConfig =
             [disabled] {
               return std::map<std::string, std::string>{{"disablePersistenceFeatures", disabled}};
             },
         .objectName = "cloud-foundry",
         .object =
             [options = options_] {
               return std::map<std::string, std::string>{{"EndpointGUID", ""},
                                                         {"SpaceGUID", options.spaceGuid},
                                                         {"AppGUID", options.applicationGuid}};
             },
         .endpointMetadata = {}});
  }

 private:
  const CloudFoundryHostingOptions options_;
};

}  // namespace

std::unique_ptr<Extension> makeCloudFoundryHosting(CloudFoundryHostingOptions options) {
  return std::make_unique<CloudFoundryHosting>(std::move(options));
}

}  // namespace stratos::ext
