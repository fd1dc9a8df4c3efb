#include "stratos/endpoint/connector.hpp"

namespace stratos::endpoint {

namespace {

ConnectionChange refused(int status, std::string message, bool plainText = false) {
  ConnectionChange change;
  change.status = status;
  change.message = std::move(message);
  change.plainText = plainText;
  return change;
}

}  // namespace

Connector::Connector(EndpointRegistry& registry, store::TokenStore& tokens, LogSink& log)
    : registry_(registry), tokens_(tokens), log_(log) {}

ConnectionChange Connector::connect(const Caller& caller, const EndpointId& id,
                                    const http::FormParameters& form, bool shared,
                                    Deadline deadline) {
  if (id.empty()) return refused(400, "Missing target endpoint");
  auto endpoint = registry_.findVisible(caller, id);
  if (!endpoint) return refused(400, "Requested endpoint not registered");
  if (!endpoint->creator.empty() && endpoint->creator != caller.user) {
    return refused(401,
                   "Can not connect - users are not allowed to connect to personal endpoints "
                   "created by other users",
                   /*plainText=*/true);
  }
  if (shared && !caller.isAdmin()) {
    return refused(401, "Can not connect System Shared endpoint - user is not an administrator",
                   /*plainText=*/true);
  }
  EndpointType* type = registry_.findType(endpoint->type);
  if (!type) return refused(400, "Endpoint connection not supported");

  ConnectResult result = type->connect(*endpoint, form, deadline);
  if (!result.connected) return refused(result.status, std::move(result.message));

  result.token.owner = shared ? UserId{std::string{kSharedUserGuid}} : caller.user;
  result.token.endpoint = endpoint->id;
  ConnectionChange change;
  change.token = tokens_.saveEndpointToken(result.token);
  if (registry_.mode() != UserEndpoints::Disabled) clearRivals(caller, *endpoint);
  log(log_, LogLevel::Info, "endpoint connected",
      {{"endpoint", id.str()}, {"user", caller.user.str()}, {"shared", shared}});
  change.done = true;
  change.endpoint = std::move(*endpoint);
  return change;
}

/// With personal endpoints, one address is connected once per user: as the system's endpoint or as
/// the user's own.
void Connector::clearRivals(const Caller& caller, const store::EndpointRecord& endpoint) {
  for (const auto& other : registry_.listRivals(caller.user, endpoint)) {
    tokens_.removeForEndpoint(caller.user, other.id);
  }
}

ConnectionChange Connector::disconnect(const Caller& caller, const EndpointId& id) {
  const auto endpoint = registry_.findVisible(caller, id);
  if (!endpoint) return refused(404, "Requested endpoint not registered");

  UserId owner = caller.user;
  if (!tokens_.removeForEndpoint(owner, id)) {
    const auto token = tokens_.findForEndpoint(caller.user, id);
    if (token && token->isShared()) {
      if (!caller.isAdmin()) {
        return refused(401,
                       "Can not disconnect System Shared endpoint - user is not an administrator",
                       /*plainText=*/true);
      }
      owner = token->owner;
      tokens_.removeForEndpoint(owner, id);
    }
  }
  log(log_, LogLevel::Info, "endpoint disconnected",
      {{"endpoint", id.str()}, {"user", caller.user.str()}});
  ConnectionChange change;
  change.done = true;
  return change;
}

}  // namespace stratos::endpoint
