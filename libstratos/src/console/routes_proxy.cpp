#include "console/error_response.hpp"
#include "console/pipeline.hpp"
#include "console/routes.hpp"

namespace stratos::console {

namespace {

using http::Request;
using http::Response;

Response notFound(const Request& request) {
  return isBelow(request, "api") ? jsonError(404, "Not Found") : Response::text(404, "Not Found");
}

}  // namespace

void addProxyRoutes(http::Router& router, Services& services) {
  const auto session = accessSteps(services, RouteAccess::Session);
  const auto list = http::wrap(session, [&services](Request& request) {
    return services.proxy.handleList(request, callerOf(services, request));
  });
  for (const char* method : {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}) {
    router.add(method, "/pp/v1/proxy/*", list);
  }
  router.add("GET", "/api/v1/proxy/:uuid/*", http::wrap(programSteps(services), [&services](Request& request) {
               return services.proxy.handleSingle(request, callerOf(services, request));
             }));
}

void addFallbacks(http::Router& router, Services& services, http::Handler* frontEnd) {
  // Unknown paths tell strangers nothing: the group's checks come before the 404.
  router.add("*", "/pp/v1/*", http::wrap(accessSteps(services, RouteAccess::Admin), notFound));
  auto endpointAdmin = programSteps(services);
  endpointAdmin.push_back(requireEndpointAdmin(services));
  router.add("*", "/api/v1/*", http::wrap(std::move(endpointAdmin), notFound));
  router.add("*", "/pp/*", notFound);
  router.add("*", "/api/*", notFound);
  router.setFallback([frontEnd](Request& request) {
    return frontEnd ? frontEnd->handle(request) : notFound(request);
  });
}

}  // namespace stratos::console
