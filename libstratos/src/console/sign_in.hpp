#pragma once

#include <string>

#include "console/services.hpp"
#include "stratos/auth/login_service.hpp"
#include "stratos/http/message.hpp"
#include "stratos/session/session_manager.hpp"

namespace stratos::console {

/// Tells the browser of its session: cookie, expiry, XSRF token.
void announceSession(Services& services, const http::Request& request, http::Response& response,
                     const session::Session& session);

/// Starts the session of a user whose sign-in was accepted, ends the one that the browser still
/// had, and announces it. Throws Error(Unavailable) when it cannot be stored; then nothing was
/// announced.
void startSession(Services& services, const http::Request& request, http::Response& response,
                  const auth::LoginResult& login);

/// Tells the extensions of a sign-in whose session has been started.
void announceSignIn(Services& services, const auth::LoginResult& login, const std::string& userName,
                    const Secret& password);

/// Checks a name and a password with the sign-in in force and answers as the sign-in route does.
[[nodiscard]] http::Response signInWithPassword(Services& services, http::Request& request,
                                                const std::string& userName,
                                                const Secret& password);

}  // namespace stratos::console
