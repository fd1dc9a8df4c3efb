#include "console/endpoint_json.hpp"
#include "console/error_response.hpp"
#include "console/pipeline.hpp"
#include "console/routes.hpp"
#include "stratos/base/json_writer.hpp"
#include "stratos/console/audit.hpp"
#include "stratos/http/form.hpp"

namespace stratos::console {

namespace {

using http::Request;
using http::Response;

constexpr std::chrono::seconds kConnectTimeout{60};

Response refusal(const endpoint::ConnectionChange& change) {
  return change.plainText ? Response::text(change.status, change.message)
                          : jsonError(change.status, change.message);
}

void audit(Services& services, const Request& request, std::string_view action,
           const endpoint::ConnectionChange& change, std::string_view target) {
  writeAudit(services.env.log, request,
             {.action = action,
              .outcome = change.done            ? "success"
                         : change.status == 401 ? "refused"
                                                : "failed",
              .user = userOf(request).str(),
              .account = {},
              .target = target,
              .reason = change.done ? std::string_view{} : std::string_view{change.message}});
}

Response connect(Services& services, Request& request) {
  const http::FormParameters form = http::readParameters(request);
  const endpoint::ConnectionChange change = services.connector.connect(
      callerOf(services, request), EndpointId{form.get("cnsi_guid")}, form,
      form.get("system_shared") == "true", Deadline::after(kConnectTimeout));
  audit(services, request, "endpoint.connect", change, form.get("cnsi_guid"));
  if (!change.done) return refusal(change);

  const auth::ConnectedUser user =
      services.tokenProvider.schemes().userOf(change.token, change.endpoint.type);
  JsonWriter json;
  json.beginObject()
      .member("account", change.token.owner.str())
      .member("token_expiry", change.token.expiry)
      .key("api_endpoint");
  writeUrl(json, change.endpoint.apiUrl);
  json.member("admin", user.admin).key("user");
  writeUser(json, user);
  json.endObject();
  Response response = Response::json(200, json.str());
  response.headers.set("Content-Type", "application/json");
  return response;
}

Response disconnect(Services& services, Request& request) {
  const endpoint::ConnectionChange change = services.connector.disconnect(
      callerOf(services, request), EndpointId{request.pathParam("cnsi_guid")});
  audit(services, request, "endpoint.disconnect", change, request.pathParam("cnsi_guid"));
  return change.done ? Response::empty(200) : refusal(change);
}

}  // namespace

void addTokenRoutes(http::Router& router, Services& services) {
  const auto session = programSteps(services);
  router.add("POST", "/api/v1/tokens", http::wrap(session, [&services](Request& request) {
               return connect(services, request);
             }));
  router.add(
      "DELETE", "/api/v1/tokens/:cnsi_guid",
      http::wrap(session, [&services](Request& request) { return disconnect(services, request); }));
}

}  // namespace stratos::console
