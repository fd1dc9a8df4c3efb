#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "stratos/auth/connected_user.hpp"
#include "stratos/auth/uaa_client.hpp"
#include "stratos/base/clock.hpp"
#include "stratos/base/export.hpp"
#include "stratos/base/log.hpp"
#include "stratos/endpoint/endpoint_type.hpp"
#include "stratos/http/router.hpp"
#include "stratos/http/transport.hpp"

namespace stratos {

/// The signed-in user of a request; find it with request.find<SignedIn>().
struct SignedIn {
  UserId user;
};

/// What a route asks of its caller.
enum class RouteAccess {
  Public,   ///< Nothing.
  Session,  ///< A session, and its XSRF token unless the method is GET or HEAD.
  Admin,    ///< Also the console administrator's role.
};

/// What an Extension may use and add. Valid while the console lives; add*() only inside attach().
class STRATOS_EXPORT ExtensionHost {
 public:
  virtual ~ExtensionHost() = default;

  virtual void addEndpointType(std::unique_ptr<endpoint::EndpointType> type) = 0;
  /// Adds a route below /pp/v1 or /api/v1, behind the console's own steps.
  virtual void addRoute(RouteAccess access, std::string method, std::string pattern,
                        http::HandlerFunction handler) = 0;

  [[nodiscard]] virtual http::Transport& transport() = 0;
  [[nodiscard]] virtual auth::UaaClient& uaaClient() = 0;
  [[nodiscard]] virtual const Clock& clock() = 0;
  [[nodiscard]] virtual LogSink& log() = 0;
};

/// A feature that the program names: Cloud Foundry, Kubernetes, metrics, ...
class STRATOS_EXPORT Extension {
 public:
  virtual ~Extension() = default;
  /// Its name among `plugins` of the info response.
  [[nodiscard]] virtual std::string_view name() const noexcept = 0;
  /// Adds what the extension brings. Called once, before the first request.
  virtual void attach(ExtensionHost& host) = 0;
};

}  // namespace stratos
