#include "console/error_response.hpp"
#include "console/pipeline.hpp"
#include "console/routes.hpp"
#include "stratos/base/json_writer.hpp"
#include "stratos/console/audit.hpp"

namespace stratos::console {

namespace {

using http::Request;
using http::Response;

void auditEnd(Services& services, const Request& request, std::string_view outcome,
              std::string_view target, std::string_view reason = {}) {
  writeAudit(services.env.log, request,
             {.action = "session.end",
              .outcome = outcome,
              .user = userOf(request).str(),
              .account = {},
              .target = target,
              .reason = reason});
}

Response list(Services& services, Request& request) {
  const session::Session& current = sessionOf(request);
  JsonWriter json;
  json.beginArray();
  for (const auto& session : services.sessions.list(current.user)) {
    json.beginObject()
        .member("id", session.publicId)
        .member("created_at", toRfc3339(session.createdAt))
        .member("last_seen_at", toRfc3339(session.lastSeenAt))
        .member("expires_at", toRfc3339(session.expiresAt))
        .member("address", session.origin.address)
        .member("user_agent", session.origin.userAgent)
        .member("current", session.publicId == current.publicId)
        .endObject();
  }
  json.endArray();
  return Response::json(200, json.str());
}

Response endOne(Services& services, Request& request) {
  const std::string& id = request.pathParam("id");
  const bool ended = services.sessions.end(userOf(request), id);
  auditEnd(services, request, ended ? "success" : "failed", id, ended ? "" : "no such session");
  return ended ? Response::empty(204) : jsonError(404, "You have no such session");
}

Response endTheOthers(Services& services, Request& request) {
  endOtherSessions(services, request);
  auditEnd(services, request, "success", "all others");
  return Response::empty(204);
}

Response endAllOf(Services& services, Request& request) {
  const UserId user{request.pathParam("id")};
  services.sessions.endAll(user);
  auditEnd(services, request, "success", user.str());
  return Response::empty(204);
}

}  // namespace

void addSessionListRoutes(http::Router& router, Services& services) {
  const auto session = accessSteps(services, RouteAccess::Session);
  router.add("GET", "/pp/v1/sessions", http::wrap(session, [&services](Request& request) {
               return list(services, request);
             }));
  router.add("DELETE", "/pp/v1/sessions", http::wrap(session, [&services](Request& request) {
               return endTheOthers(services, request);
             }));
  router.add("DELETE", "/pp/v1/sessions/:id", http::wrap(session, [&services](Request& request) {
               return endOne(services, request);
             }));
  router.add("DELETE", "/pp/v1/users/:id/sessions",
             http::wrap(accessSteps(services, RouteAccess::Admin),
                        [&services](Request& request) { return endAllOf(services, request); }));
}

}  // namespace stratos::console
