#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "stratos/auth/auth_scheme.hpp"
#include "stratos/auth/connected_user.hpp"
#include "stratos/auth/login_service.hpp"
#include "stratos/auth/login_throttle.hpp"
#include "stratos/auth/profile.hpp"
#include "stratos/auth/token_provider.hpp"
#include "stratos/auth/uaa_client.hpp"
#include "stratos/base/clock.hpp"
#include "stratos/base/export.hpp"
#include "stratos/base/log.hpp"
#include "stratos/base/random.hpp"
#include "stratos/console/audit.hpp"
#include "stratos/base/deadline.hpp"
#include "stratos/base/secret.hpp"
#include "stratos/db/database.hpp"
#include "stratos/endpoint/connector.hpp"
#include "stratos/endpoint/endpoint_registry.hpp"
#include "stratos/endpoint/endpoint_type.hpp"
#include "stratos/http/router.hpp"
#include "stratos/http/transport.hpp"
#include "stratos/store/token_store.hpp"

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

/// What an extension adds to the info document. Both functions are called for each document, from
/// any thread; either may be empty.
struct InfoContribution {
  /// Members of `plugin-config`.
  std::function<std::map<std::string, std::string>()> pluginConfig;
  /// Members of an object of their own in the document, under `objectName`.
  std::string objectName = {};
  std::function<std::map<std::string, std::string>()> object = {};
  /// Members of `metadata` of an endpoint, as `user` sees it.
  std::function<std::map<std::string, std::string>(const store::EndpointRecord& endpoint,
                                                   const auth::ConnectedUser& user)>
      endpointMetadata;
};

/// A user whose sign-in was accepted and whose session is stored.
struct SignInEvent {
  UserId user;
  std::string userName;  ///< As it was typed; with single sign-on the name of the account.
  Secret password;       ///< Empty with single sign-on.
  bool admin = false;
  /// The UAA that accepted the user; empty where users sign in otherwise.
  std::string uaaUrl;
};

/// What an Extension may use and add. Valid while the console lives; add*() only inside attach().
class STRATOS_EXPORT ExtensionHost {
 public:
  virtual ~ExtensionHost() = default;

  virtual void addEndpointType(std::unique_ptr<endpoint::EndpointType> type) = 0;
  /// Says how tokens with that `auth_type` are used and renewed: see AuthSchemes::add().
  virtual void addAuthScheme(std::string authType, std::unique_ptr<auth::AuthScheme> scheme) = 0;
  /// Adds a route below /pp/v1 or /api/v1, behind the console's own steps.
  virtual void addRoute(RouteAccess access, std::string method, std::string pattern,
                        http::HandlerFunction handler) = 0;

  virtual void addInfo(InfoContribution contribution) = 0;
  /// Called after each sign-in, before its answer, from any thread. The user waits for it until
  /// `deadline`; what it throws is logged and changes nothing.
  virtual void addSignInHook(std::function<void(const SignInEvent&, Deadline deadline)> hook) = 0;
  /// A step around every request, inside the console's own common steps: it may answer by itself,
  /// and sees every answer, static files included.
  virtual void addStep(http::Middleware step) = 0;

  /// The sign-in in force; set-up may replace it, so do not keep it.
  [[nodiscard]] virtual std::shared_ptr<auth::LoginService> login() = 0;
  /// The users' own profiles under that sign-in; null when it has none.
  [[nodiscard]] virtual std::shared_ptr<auth::ProfileService> profiles() = 0;
  /// Writes an audit event: see writeAudit().
  virtual void audit(const http::Request& request, const AuditEvent& event) = 0;
  /// Ends every session of the caller but the one of `request`; returns how many.
  virtual std::int64_t endOtherSessions(const http::Request& request) = 0;
  /// Slows down guessing; for whatever asks for a password.
  [[nodiscard]] virtual auth::LoginThrottle& throttle() = 0;
  [[nodiscard]] virtual db::Database& database() = 0;
  [[nodiscard]] virtual Random& random() = 0;
  /// Sessions, endpoints or tokens were changed in the database past the console's own stores: it
  /// reads them anew.
  virtual void rowsChanged() = 0;
  [[nodiscard]] virtual store::TokenStore& tokens() = 0;
  [[nodiscard]] virtual auth::TokenProvider& tokenProvider() = 0;
  [[nodiscard]] virtual endpoint::EndpointRegistry& endpoints() = 0;
  [[nodiscard]] virtual endpoint::Connector& connector() = 0;
  /// The session cookie's name.
  [[nodiscard]] virtual const std::string& sessionCookieName() = 0;
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
