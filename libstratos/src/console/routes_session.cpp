#include "console/error_response.hpp"
#include "console/info.hpp"
#include "console/pipeline.hpp"
#include "console/routes.hpp"
#include "console/sign_in.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/json_writer.hpp"
#include "stratos/console/audit.hpp"
#include "stratos/http/form.hpp"

namespace stratos::console {

void announceSession(Services& services, const http::Request& request, http::Response& response,
                     const session::Session& session) {
  response.headers.add("Set-Cookie", services.sessions.cookieFor(session).str());
  response.headers.set("X-Cap-Session-Expires-On",
                       std::to_string(services.sessions.announcedExpiry(
                           session, request.headers.get("x-cap-request-date"))));
  response.headers.set("X-Xsrf-Token", session.xsrfToken.reveal());
}

void startSession(Services& services, const http::Request& request, http::Response& response,
                  const auth::LoginResult& login) {
  // A session that the browser still had ends here; its id is never taken over.
  if (const auto old = request.cookie(services.sessions.cookieName())) services.sessions.end(*old);
  announceSession(
      services, request, response,
      services.sessions.create(login.user, login.tokenExpiry,
                               {.address = request.clientAddress(),
                                .userAgent = std::string{request.headers.get("user-agent")}}));
}

void announceSignIn(Services& services, const auth::LoginResult& login, const std::string& userName,
                    const Secret& password) {
  constexpr std::chrono::seconds kHookTimeout{30};
  if (services.signInHooks.empty()) return;
  const auto identity = services.identity();
  const bool isUaa = identity->options.type == AuthType::Remote;
  const SignInEvent event{.user = login.user,
                          .userName = userName,
                          .password = password,
                          .admin = login.admin,
                          .uaaUrl = isUaa ? identity->options.uaa.baseUrl : ""};
  for (const auto& hook : services.signInHooks) {
    try {
      hook(event, Deadline::after(kHookTimeout));
    } catch (const std::exception& error) {
      log(services.env.log, LogLevel::Error, "what belongs to a sign-in could not be done",
          {{"user", login.user.str()}, {"reason", error.what()}});
    }
  }
}

namespace {

using http::Request;
using http::Response;

constexpr std::chrono::seconds kLoginTimeout{60};

void auditLogin(Services& services, const Request& request, std::string_view account,
                std::string_view outcome, std::string_view user = {},
                std::string_view reason = {}) {
  writeAudit(services.env.log, request,
             {.action = "session.login",
              .outcome = outcome,
              .user = user,
              .account = account,
              .target = {},
              .reason = reason});
}

}  // namespace

http::Response signInWithPassword(Services& services, http::Request& request,
                                  const std::string& userName, const Secret& password) {
  const std::string address = request.clientAddress();
  if (const auto wait = services.throttle.attempt(userName, address); wait.count() > 0) {
    auditLogin(services, request, userName, "refused", {}, "too many attempts");
    // 401 rather than 429 (RFC 6585): the front end shows the text of no other refusal.
    http::Response response = jsonError(
        401, "Too many attempts; try again in " + std::to_string(wait.count()) + " seconds");
    response.headers.set("Retry-After", std::to_string(wait.count()));
    return response;
  }
  auth::LoginResult result;
  try {
    result = services.identity()->login->login(userName, password, Deadline::after(kLoginTimeout));
  } catch (const Error&) {
    services.throttle.undecided(userName, address);
    throw;
  }
  if (result.accepted) services.throttle.succeeded(userName, address);
  auditLogin(services, request, userName, result.accepted ? "success" : "refused",
             result.user.str());
  if (!result.accepted) return jsonError(401, result.refusal);

  JsonWriter json;
  json.beginObject()
      .member("account", result.account)
      .member("token_expiry", result.tokenExpiry)
      .key("api_endpoint")
      .null()
      .member("admin", result.admin)
      .key("user")
      .null()
      .endObject();
  Response response = Response::json(200, json.str());
  response.headers.set("Content-Type", "application/json");
  startSession(services, request, response, result);
  announceSignIn(services, result, userName, password);
  return response;
}

namespace {

/// Name and password from a form or a JSON body. The query is not looked at: it ends up in the logs
/// of whatever stands in front of us.
http::FormParameters readCredentials(Request& request) {
  request.target.resize(request.rawPath().size());
  return http::readParameters(request);
}

/// Why nobody signs in with a password here; empty when they may.
std::optional<Response> refusePasswords(const SignInOptions& options) {
  if (options.type == AuthType::None) return jsonError(404, "This console needs no sign-in");
  if (options.type == AuthType::Oidc || (options.sso.enabled && !options.sso.passwordLogin)) {
    return jsonError(401, "Use single sign-on");
  }
  return std::nullopt;
}

Response login(Services& services, Request& request) {
  const auto identity = services.identity();
  if (auto refusal = refusePasswords(identity->options)) return std::move(*refusal);
  const http::FormParameters form = readCredentials(request);
  const std::string& userName = form.get("username");
  const Secret password{form.get("password")};
  if (userName.empty() || password.empty()) {
    auditLogin(services, request, userName, "refused");
    return jsonError(401, "Needs username and password");
  }
  return signInWithPassword(services, request, userName, password);
}

Response logout(Services& services, Request& request) {
  const auto cookie = request.cookie(services.sessions.cookieName());
  Response response =
      Response::json(200, services.identity()->sso ? "{\"isSSO\":true}\n" : "{\"isSSO\":false}\n");
  if (cookie) {
    if (const auto session = services.sessions.find(*cookie)) {
      services.sessions.end(*cookie);
      writeAudit(services.env.log, request,
                 {.action = "session.logout",
                  .outcome = "success",
                  .user = session->user.str(),
                  .account = {},
                  .target = {},
                  .reason = {}});
    }
    http::SetCookie cleared = services.sessions.clearingCookie();
    cleared.expires = TimePoint{};
    cleared.maxAge = std::chrono::seconds{0};
    response.headers.add("Set-Cookie", cleared.str());
  }
  return response;
}

Response verifyEnvelope(std::string_view status, std::string_view error, const std::string& data) {
  JsonWriter json;
  json.beginObject().member("status", status).member("error", error).key("data").raw(data);
  json.endObject();
  return Response::json(200, json.str() + "\n");
}

Response verifyFailed(Services& services, std::string_view reason) {
  Response response = verifyEnvelope("error", reason, "null");
  response.headers.add("Set-Cookie", services.sessions.clearingCookie().str());
  response.headers.set("X-Stratos-Domain", services.sessions.cookieDomain());
  if (const auto identity = services.identity(); identity->sso) {
    const std::string& options = identity->options.sso.options;
    response.headers.set("X-Stratos-Sso-Login", options.empty() ? "enabled" : options);
  }
  return response;
}

Response verify(Services& services, Request& request) {
  auto session = findSession(services, request);
  if (!session && services.identity()->options.type == AuthType::None) {
    session = services.sessions.create(UserId{std::string{auth::NoLogin::kUserGuid}},
                                       auth::kNeverExpires);
  }
  if (!session) return verifyFailed(services, "Could not find session");
  const auth::VerifyResult result = services.identity()->login->verify(
      session->user, session->tokenExpiry, Deadline::after(kLoginTimeout));
  const auto user =
      result.accepted ? services.identity()->login->findUser(session->user) : std::nullopt;
  if (!user) {
    services.sessions.end(session->cookieValue.reveal());
    return verifyFailed(services, result.refusal.empty() ? "Could not find user" : result.refusal);
  }
  const std::string info = infoDocument(services, *user);
  session->tokenExpiry = result.tokenExpiry;
  if (!services.sessions.renew(*session)) return verifyFailed(services, "The session has ended");
  Response response = verifyEnvelope("ok", "", info);
  announceSession(services, request, response, *session);
  return response;
}

Response info(Services& services, Request& request) {
  const auto user = services.identity()->login->findUser(userOf(request));
  if (!user) return Response::text(403, "could not load session user data");
  return Response::json(200, infoDocument(services, *user) + "\n");
}

Response version(Services& services) {
  try {
    return Response::json(200, versionDocument(services) + "\n");
  } catch (const Error& error) {
    log(services.env.log, LogLevel::Error, "the schema version cannot be read",
        {{"reason", error.what()}});
    return Response::text(503, "Error trying to get current database version");
  }
}

}  // namespace

void addSessionRoutes(http::Router& router, Services& services) {
  const auto onlyVersion = [&services](Request&) { return version(services); };
  router.add("GET", "/pp/v1/ping", onlyVersion);
  router.add("GET", "/pp/v1/version", onlyVersion);
  router.add("POST", "/pp/v1/auth/login/uaa",
             [&services](Request& request) { return login(services, request); });
  router.add("POST", "/pp/v1/auth/logout",
             [&services](Request& request) { return logout(services, request); });
  router.add("GET", "/api/v1/auth/verify",
             [&services](Request& request) { return verify(services, request); });
  router.add("GET", "/pp/v1/info",
             http::wrap(accessSteps(services, RouteAccess::Session),
                        [&services](Request& request) { return info(services, request); }));
}

}  // namespace stratos::console
