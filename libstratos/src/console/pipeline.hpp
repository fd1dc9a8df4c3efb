#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "console/services.hpp"
#include "stratos/auth/connected_user.hpp"
#include "stratos/console/extension.hpp"
#include "stratos/endpoint/endpoint_registry.hpp"
#include "stratos/http/router.hpp"
#include "stratos/session/session_manager.hpp"

namespace stratos::console {

class SetupGate;

/// The steps around every request, outermost first; the reason of each stands beside it.
[[nodiscard]] http::Pipeline commonSteps(Services& services, SetupGate& gate);

/// The steps in front of routes of that access.
[[nodiscard]] http::Pipeline accessSteps(Services& services, RouteAccess access);
/// accessSteps(Session) for routes that programs may use with an API key instead of a session.
[[nodiscard]] http::Pipeline programSteps(Services& services);
/// Behind accessSteps(Session): lets console administrators pass, and users with the endpoint
/// administrator's scope where they may have endpoints of their own.
[[nodiscard]] http::Middleware requireEndpointAdmin(Services& services);

/// The session that the session step found. Only behind that step.
[[nodiscard]] const session::Session& sessionOf(const http::Request& request);
/// The signed-in user of a request, by a session or by an API key. Only behind the session step.
[[nodiscard]] const UserId& userOf(const http::Request& request);
/// Ends every session of the caller but the one of `request`; returns how many.
std::int64_t endOtherSessions(Services& services, const http::Request& request);
/// The caller of a request behind the session step; the role is looked up once, when asked for.
[[nodiscard]] endpoint::Caller callerOf(Services& services, const http::Request& request);
/// The same for a user who was found in another way.
[[nodiscard]] endpoint::Caller callerFor(Services& services, const UserId& user);
/// Whether a page of `origin` was served by the host that the request names.
[[nodiscard]] bool isOwnOrigin(const http::Request& request, std::string_view origin);
/// True when `segment` is the first one of the path, as the router reads it: doubled slashes count
/// as one.
[[nodiscard]] bool isBelow(const http::Request& request, std::string_view segment);
/// The session of a request that may have none.
[[nodiscard]] std::optional<session::Session> findSession(Services& services,
                                                          const http::Request& request);

}  // namespace stratos::console
