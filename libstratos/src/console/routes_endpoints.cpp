#include "console/endpoint_json.hpp"
#include "console/error_response.hpp"
#include "console/parse_bool.hpp"
#include "console/pipeline.hpp"
#include "console/routes.hpp"
#include "stratos/base/json_writer.hpp"
#include "stratos/console/audit.hpp"
#include "stratos/http/form.hpp"

namespace stratos::console {

namespace {

using endpoint::ChangeResult;
using endpoint::ChangeStatus;
using http::Request;
using http::Response;

constexpr std::chrono::seconds kProbeTimeout{30};

Response refusal(const ChangeResult& result) {
  switch (result.status) {
    case ChangeStatus::TlsFailure:
      return jsonError(403, result.message);  // The front end then offers to skip the check.
    case ChangeStatus::NotAllowed:
      return jsonError(401, result.message);
    case ChangeStatus::NotFound:
      return jsonError(404, result.message);
    case ChangeStatus::Done:
    case ChangeStatus::Invalid:
    case ChangeStatus::Duplicate:
    case ChangeStatus::ProbeFailed:
      break;
  }
  return jsonError(400, result.message);
}

void audit(Services& services, const Request& request, std::string_view action,
           const ChangeResult& result, std::string_view target) {
  const bool done = result.status == ChangeStatus::Done;
  writeAudit(services.env.log, request,
             {.action = action,
              .outcome = done                                        ? "success"
                         : result.status == ChangeStatus::NotAllowed ? "refused"
                                                                     : "failed",
              .user = userOf(request).str(),
              .account = {},
              .target = target,
              .reason = done ? std::string_view{} : std::string_view{result.message}});
}

Response list(Services& services, Request& request) {
  JsonWriter json;
  json.beginArray();
  for (const auto& endpoint : services.registry.listVisible(callerOf(services, request))) {
    writeEndpoint(json, endpoint);
  }
  json.endArray();
  Response response = Response::json(200, json.str());
  response.headers.set("Content-Type", "application/json");
  return response;
}

Response add(Services& services, Request& request) {
  const http::FormParameters form = http::readParameters(request);
  endpoint::Registration registration;
  registration.type = form.get("endpoint_type");
  registration.subType = form.get("sub_type");
  registration.name = form.get("cnsi_name");
  registration.apiUrl = form.get("api_endpoint");
  registration.skipSslValidation = parseBool(form.get("skip_ssl_validation")).value_or(false);
  registration.ssoAllowed = parseBool(form.get("sso_allowed")).value_or(false);
  registration.clientId = form.get("cnsi_client_id");
  registration.clientSecret = Secret{form.get("cnsi_client_secret")};
  registration.caCertificate = form.get("ca_cert");
  registration.systemEndpoint = parseBool(form.get("create_system_endpoint")).value_or(true);

  const ChangeResult result = services.registry.add(callerOf(services, request), registration,
                                                    Deadline::after(kProbeTimeout));
  audit(services, request, "endpoint.register", result,
        result.status == ChangeStatus::Done ? result.record.id.str() : registration.apiUrl);
  if (result.status != ChangeStatus::Done) return refusal(result);
  JsonWriter json;
  writeEndpoint(json, result.record);
  return Response::json(201, json.str() + "\n");
}

/// The edit form of the front end sends an empty ca_cert each time, so that means "as it was". "-"
/// takes the certificate away.
std::optional<std::string> caCertificateChange(const http::FormParameters& form) {
  const std::string& value = form.get("ca_cert");
  if (value.empty() || value == "undefined") return std::nullopt;
  return value == "-" ? std::string{} : value;
}

Response update(Services& services, Request& request) {
  const std::string id = request.pathParam("id");
  const http::FormParameters form = http::readParameters(request);
  endpoint::EndpointChange change;
  change.name = form.get("name");
  change.skipSslValidation = parseBool(form.get("skipSSL"));
  change.ssoAllowed = parseBool(form.get("allowSSO"));
  if (parseBool(form.get("setClientInfo")).value_or(false)) {
    change.clientId = form.get("clientID");
    change.clientSecret = Secret{form.get("clientSecret")};
  }
  change.caCertificate = caCertificateChange(form);
  const ChangeResult result = services.registry.update(callerOf(services, request), EndpointId{id},
                                                       change, Deadline::after(kProbeTimeout));
  audit(services, request, "endpoint.update", result, id);
  return result.status == ChangeStatus::Done ? Response::empty(200) : refusal(result);
}

Response remove(Services& services, Request& request) {
  const ChangeResult result =
      services.registry.remove(callerOf(services, request), EndpointId{request.pathParam("id")});
  audit(services, request, "endpoint.unregister", result, request.pathParam("id"));
  // Unregistering what is not there has always been a success.
  const bool gone = result.status == ChangeStatus::Done || result.status == ChangeStatus::NotFound;
  return gone ? Response::empty(200) : refusal(result);
}

}  // namespace

void addEndpointRoutes(http::Router& router, Services& services) {
  const auto session = programSteps(services);
  auto admin = session;
  admin.push_back(requireEndpointAdmin(services));

  router.add("GET", "/api/v1/endpoints", http::wrap(session, [&services](Request& request) {
               return list(services, request);
             }));
  router.add("POST", "/api/v1/endpoints",
             http::wrap(admin, [&services](Request& request) { return add(services, request); }));
  router.add("POST", "/api/v1/endpoints/:id", http::wrap(admin, [&services](Request& request) {
               return update(services, request);
             }));
  router.add("DELETE", "/api/v1/endpoints/:id", http::wrap(admin, [&services](Request& request) {
               return remove(services, request);
             }));
}

}  // namespace stratos::console
