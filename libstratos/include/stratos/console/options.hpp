#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "stratos/auth/login_throttle.hpp"
#include "stratos/auth/oidc_options.hpp"
#include "stratos/auth/uaa_client.hpp"
#include "stratos/base/export.hpp"
#include "stratos/base/ip_network.hpp"
#include "stratos/base/secret.hpp"
#include "stratos/endpoint/endpoint_registry.hpp"
#include "stratos/proxy/proxy_service.hpp"
#include "stratos/session/session_manager.hpp"
#include "stratos/store/cached_stores.hpp"

namespace stratos {

/// AUTH_ENDPOINT_TYPE: where console users come from.
enum class AuthType {
  Local,   ///< Users in the console's database.
  Remote,  ///< A UAA.
  Oidc,    ///< An OpenID Connect provider.
  None,    ///< Nobody signs in: everybody who reaches the console is its administrator.
};

/// Sign-in by a redirect to the identity server.
struct SsoOptions {
  bool enabled = false;  ///< Always on with AuthType::Oidc.
  /// SSO_OPTIONS, for the front end (`nosplash`) and for us (`logout`).
  std::string options;
  /// SSO_ALLOWLIST: comma separated URLs that a sign-in may return to; empty: our own origin only.
  std::string allowList;
  /// Whether password sign-in stays possible beside it.
  bool passwordLogin = true;
};

/// How users sign in. Set-up may replace it while the console runs.
struct STRATOS_EXPORT SignInOptions {
  AuthType type = AuthType::Local;
  /// Scope that makes a console user an administrator. Never empty.
  std::string adminScope = "stratos.admin";

  /// The first local user, made when it does not exist (only with AuthType::Local).
  std::string localUser;
  Secret localUserPassword;
  std::string localUserScope = "stratos.admin";

  /// The UAA of the console (only with AuthType::Remote).
  auth::UaaTarget uaa;
  /// Where browsers sign in at the UAA; the UAA itself when empty.
  std::string authorizationEndpoint;
  SsoOptions sso;

  /// With AuthType::None: answer under any host name, not only under local ones. Everybody who
  /// reaches the console is its administrator then.
  bool anyHost = false;

  /// The provider (only with AuthType::Oidc).
  auth::OidcOptions oidc;
};

/// A console that has not been set up yet: until it is, every API call is answered 503 and the
/// front end shows its wizard.
struct SetupOptions {
  /// The sign-in options as configured now, the database included; empty while they are incomplete.
  /// Called now and then from any thread; may throw Error(Unavailable).
  std::function<std::optional<SignInOptions>()> load;
  /// Who may run the wizard: browsers that show this code; loopback clients always may.
  Secret code;
  /// Anybody who comes first. For closed networks only.
  bool openToAll = false;
};

/// Where the console runs, shown to administrators.
struct DiagnosticsOptions {
  std::string deploymentType = "Development";
  /// Of the Helm release; empty where there is none.
  std::string helmName;
  std::string helmRevision;
  std::string helmChartVersion;
  std::string helmLastModified;
};

/// Everything a console needs to know, with the defaults that upstream's packages ship. How it is
/// found (environment, files, database) is the program's business.
struct STRATOS_EXPORT ConsoleOptions {
  /// Shown as proxy_version; "dev" when not set.
  std::string version = "dev";

  SignInOptions signIn;
  /// Set: the console starts in set-up mode and `signIn` does not count.
  std::optional<SetupOptions> setup;
  int passwordHashCost = 12;

  session::SessionOptions session;
  auth::LoginThrottleOptions throttle;

  store::CacheOptions caches;

  endpoint::EndpointRegistryOptions endpoints;
  proxy::ProxyOptions proxy;
  proxy::ForwarderOptions forwarder;
  proxy::CircuitBreakerOptions breaker;
  auth::TokenProviderOptions tokens;

  /// Proxies whose word counts: X-Forwarded-For, X-Forwarded-Proto and X-Forwarded-Host of
  /// everybody else are not looked at.
  std::vector<IpNetwork> trustedProxies;
  /// CORS origins; `*` and `?` are wildcards. Empty: no CORS at all, the front end is same-origin.
  std::vector<std::string> allowedOrigins;
  /// Sends Strict-Transport-Security with that age; off by default (self-signed hosts).
  std::optional<std::chrono::seconds> hstsMaxAge;
  bool logRequests = true;

  /// Passed to the front end as they are.
  bool enableTechPreview = false;
  std::int64_t listMaxSize = 0;
  bool listAllowLoadMaxed = false;
  std::string apiKeysEnabled = "admin_only";
  bool homeViewShowFavoritesOnly = false;
  DiagnosticsOptions diagnostics;

  /// Threads for fan-outs and calls that outlive their request.
  std::size_t workerThreads = 64;
};

}  // namespace stratos
