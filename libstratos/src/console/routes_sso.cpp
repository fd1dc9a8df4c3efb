#include <algorithm>

#include "console/error_response.hpp"
#include "console/pipeline.hpp"
#include "console/routes.hpp"
#include "console/sign_in.hpp"
#include "console/sso_flow.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/console/audit.hpp"

namespace stratos::console {

namespace {

using http::Request;
using http::Response;

constexpr std::chrono::seconds kProviderTimeout{60};
constexpr const char* kCallback = "/pp/v1/auth/sso_login_callback";
/// What the provider's own sign-out page returns with. No state of a flow looks like it.
constexpr const char* kLogoutState = "logout";
constexpr int kRedirect = 307;

/// The parameters of the query. Throws Error(InvalidArgument) for a broken escape.
FormFields readQuery(const Request& request) {
  auto fields = decodeForm(request.rawQuery());
  if (!fields) throw Error(ErrorCode::InvalidArgument, "The query has a broken percent escape");
  return std::move(*fields);
}

std::string parameter(const FormFields& fields, std::string_view name) {
  const auto it = std::find_if(fields.begin(), fields.end(),
                               [&](const auto& field) { return field.first == name; });
  return it == fields.end() ? std::string{} : it->second;
}

/// A message for the sign-in page: what a provider says may be anything.
std::string displayable(const std::string& text) {
  constexpr std::size_t kLimit = 300;
  std::string shown;
  for (const char c : text.substr(0, kLimit)) {
    shown += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
  }
  return toValidUtf8(shown);
}

/// To the front end's sign-in page, which shows the message. `origin` is empty for our own.
Response toSignInPage(const std::string& origin, const std::string& message) {
  return Response::redirect(kRedirect,
                            origin + "/login?SSO_Message=" + percentEncode(displayable(message)));
}

struct Checked {
  std::optional<Url> returnTo;
  std::optional<Response> refusal;
};

Checked checkState(const Identity& identity, const Request& request, const std::string& state) {
  Checked result;
  if (state.empty()) {
    result.refusal = jsonError(401, "The parameter state is missing");
  } else {
    result.returnTo =
        allowedReturnUrl(state, identity.options.sso.allowList, &isOwnOrigin, request);
    if (!result.returnTo) {
      result.refusal =
          jsonError(401, "A sign-in must not return to that address; see SSO_ALLOWLIST");
    }
  }
  return result;
}

Response notConfigured() { return jsonError(404, "Single sign-on is not configured"); }

Response begin(Services& services, SsoTickets& tickets, Request& request) {
  const auto identity = services.identity();
  if (!identity->sso) return notConfigured();
  Checked state = checkState(*identity, request, parameter(readQuery(request), "state"));
  if (state.refusal) return std::move(*state.refusal);
  const SsoTicket ticket =
      tickets.begin(state.returnTo->str(), state.returnTo->origin() + kCallback);
  Response response = Response::redirect(
      kRedirect, identity->sso->authorizeUrl(ticket.flow, Deadline::after(kProviderTimeout)));
  response.headers.add("Set-Cookie", tickets.cookieFor(ticket).str());
  return response;
}

void auditSso(Services& services, const Request& request, const auth::LoginResult& result) {
  writeAudit(services.env.log, request,
             {.action = "session.login",
              .outcome = result.accepted ? "success" : "refused",
              .user = result.user.str(),
              .account = result.account,
              .target = "sso",
              .reason = result.refusal});
}

/// Ends a flow that this browser has begun.
Response end(Services& services, const Identity& identity, Request& request,
             const FormFields& query, const SsoTicket& ticket) {
  const auto page = Url::parse(ticket.returnTo);
  const std::string code = parameter(query, "code");
  auth::LoginResult result;
  if (code.empty()) {
    result.refusal = parameter(query, "error_description");
    if (result.refusal.empty()) result.refusal = parameter(query, "error");
    if (result.refusal.empty()) result.refusal = "The identity server sent no code";
  } else {
    try {
      result = identity.sso->redeem(Secret{code}, parameter(query, "iss"), ticket.flow,
                                    Deadline::after(kProviderTimeout));
    } catch (const Error& error) {
      log(services.env.log, LogLevel::Error, "single sign-on failed", {{"reason", error.what()}});
      result.refusal = error.publicMessage();
    }
  }
  auditSso(services, request, result);
  if (!result.accepted) return toSignInPage(page.origin(), result.refusal);
  Response response = Response::redirect(kRedirect, ticket.returnTo);
  startSession(services, request, response, result);
  announceSignIn(services, result, result.account, {});
  return response;
}

void auditConnect(Services& services, const Request& request, const UserId& user,
                  const EndpointId& target, const std::string& refusal) {
  writeAudit(services.env.log, request,
             {.action = "endpoint.connect",
              .outcome = refusal.empty() ? "success" : "refused",
              .user = user.str(),
              .account = {},
              .target = target.str(),
              .reason = refusal});
}

Response toEndpointsPage(const Url& page, const EndpointId& endpoint, bool connected) {
  return Response::redirect(kRedirect, page.origin() +
                                           "/endpoints?cnsi_guid=" + percentEncode(endpoint.str()) +
                                           "&status=" + (connected ? "ok" : "fail"));
}

/// Sends a signed-in user to an endpoint's own page to connect to it.
Response beginConnect(Services& services, SsoTickets& tickets, Request& request) {
  const FormFields query = readQuery(request);
  const EndpointId id{parameter(query, "guid")};
  if (id.empty()) return jsonError(400, "Missing target endpoint");
  const auto identity = services.identity();
  Checked state = checkState(*identity, request, parameter(query, "state"));
  if (state.refusal) return std::move(*state.refusal);
  // A foreign page must not replace a user's connection by that of whoever is signed in at the UAA.
  const std::string_view site = request.headers.get("sec-fetch-site");
  if (identity->options.sso.allowList.empty() && (site == "cross-site" || site == "same-site")) {
    return jsonError(403, "Connecting is begun from the console's own pages only");
  }
  SsoTicket ticket = tickets.begin(state.returnTo->str(), state.returnTo->origin() + kCallback);
  ticket.endpoint = id;
  ticket.user = userOf(request);
  auto signIn = services.connector.beginSignIn(callerOf(services, request), id, ticket.flow);
  if (signIn.url.empty()) {
    auditConnect(services, request, ticket.user, id, signIn.refusal.message);
    return signIn.refusal.plainText ? Response::text(signIn.refusal.status, signIn.refusal.message)
                                    : jsonError(signIn.refusal.status, signIn.refusal.message);
  }
  Response response = Response::redirect(kRedirect, signIn.url);
  response.headers.add("Set-Cookie", tickets.cookieFor(ticket).str());
  return response;
}

/// Ends a connection that this browser has begun, if the same user still is signed in.
Response endConnect(Services& services, Request& request, const FormFields& query,
                    const SsoTicket& ticket) {
  const auto page = Url::parse(ticket.returnTo);
  const auto session = findSession(services, request);
  const std::string code = parameter(query, "code");
  std::string refusal;
  if (!session || session->user != ticket.user) {
    refusal = "the user who began is not signed in any more";
  } else if (code.empty()) {
    refusal = displayable(parameter(query, "error"));
    if (refusal.empty()) refusal = "the authorization server sent no code";
  } else {
    const auto change =
        services.connector.endSignIn(callerFor(services, ticket.user), ticket.endpoint,
                                     Secret{code}, ticket.flow, Deadline::after(kProviderTimeout));
    if (!change.done) refusal = change.message;
  }
  auditConnect(services, request, ticket.user, ticket.endpoint, refusal);
  return toEndpointsPage(page, ticket.endpoint, refusal.empty());
}

Response callback(Services& services, const SsoTickets& tickets, Request& request) {
  const auto identity = services.identity();
  const FormFields query = readQuery(request);
  const std::string state = parameter(query, "state");
  const auto ticket = tickets.find(request, state);
  if (ticket && !ticket->endpoint.empty()) {
    Response response = endConnect(services, request, query, *ticket);
    response.headers.add("Set-Cookie", tickets.clearingCookie(state).str());
    return response;
  }
  if (!identity->sso) return notConfigured();
  if (state.empty()) return jsonError(401, "The parameter state is missing");
  if (state == kLogoutState) return toSignInPage({}, "You have been logged out");
  if (!ticket) {
    writeAudit(services.env.log, request,
               {.action = "session.login",
                .outcome = "refused",
                .user = {},
                .account = {},
                .target = "sso",
                .reason = "no sign-in was begun in this browser, or too long ago"});
    return toSignInPage({}, "The sign-in took too long or was begun in another browser; try again");
  }
  Response response = end(services, *identity, request, query, *ticket);
  response.headers.add("Set-Cookie", tickets.clearingCookie(state).str());
  return response;
}

/// Leaves our own session alone: the front end has ended it with a POST before it comes here, and a
/// GET from another site must not be able to.
Response leave(Services& services, Request& request) {
  const auto identity = services.identity();
  if (!identity->sso) return notConfigured();
  Checked state = checkState(*identity, request, parameter(readQuery(request), "state"));
  if (state.refusal) return std::move(*state.refusal);
  if (!hasSsoOption(identity->options.sso, "logout")) {
    return toSignInPage({}, "You have been logged out");
  }
  const auto session = findSession(services, request);
  const std::string target = identity->sso->logoutUrl(
      state.returnTo->origin() + kCallback + "?state=" + kLogoutState,
      session ? &session->user : nullptr, Deadline::after(kProviderTimeout));
  return target.empty() ? toSignInPage({}, "You have been logged out")
                        : Response::redirect(kRedirect, target);
}

}  // namespace

void addSsoRoutes(http::Router& router, Services& services) {
  const auto tickets = std::make_shared<SsoTickets>(services.options.session.secret,
                                                    services.env.clock, services.env.random);
  router.add("GET", "/pp/v1/auth/sso_login",
             [&services, tickets](Request& request) { return begin(services, *tickets, request); });
  router.add("GET", kCallback, [&services, tickets](Request& request) {
    return callback(services, *tickets, request);
  });
  const auto signedIn = accessSteps(services, RouteAccess::Session);
  for (const char* path : {"/api/v1/tokens", "/pp/v1/auth/tokens"}) {
    router.add("GET", path, http::wrap(signedIn, [&services, tickets](Request& request) {
                 return beginConnect(services, *tickets, request);
               }));
  }
  router.add("GET", "/pp/v1/auth/sso_logout",
             [&services](Request& request) { return leave(services, request); });
}

}  // namespace stratos::console
