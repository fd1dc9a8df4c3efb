#pragma once

#include "console/services.hpp"
#include "stratos/http/router.hpp"

namespace stratos::console {

/// Sign-in, sign-out, verify, info, version, ping.
void addSessionRoutes(http::Router& router, Services& services);
/// A user's list of sessions, and ending them.
void addSessionListRoutes(http::Router& router, Services& services);
/// Sign-in by a redirect to the identity server, and its sign-out.
void addSsoRoutes(http::Router& router, Services& services);
class SetupGate;

/// The first-run wizard's.
void addSetupRoutes(http::Router& router, Services& services, SetupGate& gate);
/// Making, listing and deleting API keys.
void addApiKeyRoutes(http::Router& router, Services& services);
/// Registering, listing, changing and unregistering endpoints.
void addEndpointRoutes(http::Router& router, Services& services);
/// Connecting to endpoints and disconnecting.
void addTokenRoutes(http::Router& router, Services& services);
/// The proxy.
void addProxyRoutes(http::Router& router, Services& services);
/// What is known nowhere: the refusals of each group, and the front end.
void addFallbacks(http::Router& router, Services& services, http::Handler* frontEnd);

}  // namespace stratos::console
