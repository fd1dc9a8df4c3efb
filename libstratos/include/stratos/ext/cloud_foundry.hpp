#pragma once

#include <memory>
#include <string>

#include "stratos/base/deadline.hpp"
#include "stratos/base/export.hpp"
#include "stratos/console/extension.hpp"
#include "stratos/endpoint/endpoint_type.hpp"

namespace stratos::ext {

/// A foundation that is registered by itself and to which users are connected when they sign in.
struct AutoRegistration {
  std::string url;  ///< Of its API; empty: none.
  std::string name = "Cloud Foundry";
  http::TrustPolicy trust = {};
};

struct CloudFoundryOptions {
  AutoRegistration autoRegistration;
};

/// Cloud Foundry: the endpoint type `cf`. Discovery asks `GET /` first and `/v2/info` second, so a
/// foundation without API v2 can be registered
/// (https://v3-apidocs.cloudfoundry.org/#get-api-root-links).
///
/// With an AutoRegistration, the first user whom a UAA lets in registers that foundation for
/// everybody, and each one is connected to it: with the password of the sign-in, or by a link to
/// the login token after single sign-on, when the foundation has the same UAA. Who has disconnected
/// from it stays disconnected. A failure is logged and does not keep anybody out.
[[nodiscard]] STRATOS_EXPORT std::unique_ptr<Extension> makeCloudFoundry(
    CloudFoundryOptions options = {});

/// Asks a foundation for its authorization servers, as registration does.
[[nodiscard]] STRATOS_EXPORT endpoint::ProbeResult discoverCloudFoundry(
    http::Transport& transport, const std::string& apiUrl, const http::TrustPolicy& trust,
    Deadline deadline);

struct CloudFoundryHostingOptions {
  std::string applicationGuid = {};  ///< Of the application that the console is.
  std::string spaceGuid = {};        ///< The space in which it runs.
  /// Tells the front end to hide what needs a database that outlives the application.
  bool disablePersistenceFeatures = true;
  /// Asks the platform's router to send a browser to the same instance again: wanted where each
  /// instance has a database of its own.
  bool keepBrowsersApart = true;
};

/// For a console that is an application on Cloud Foundry: plain HTTP requests are sent to https,
/// browsers stay with the instance that knows their session (`JSESSIONID`,
/// https://docs.cloudfoundry.org/concepts/http-routing.html#-session-affinity), and the info
/// document says where the console runs. The paths of health checks, /pp/v1/ping and
/// /pp/v1/version, are answered over plain HTTP, too.
[[nodiscard]] STRATOS_EXPORT std::unique_ptr<Extension> makeCloudFoundryHosting(
    CloudFoundryHostingOptions options);

}  // namespace stratos::ext
