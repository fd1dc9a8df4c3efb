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

Connector::Target Connector::findTarget(const Caller& caller, const EndpointId& id,
                                        bool shared) const {
  Target target;
  if (id.empty()) {
    target.refusal = refused(400, "Missing target endpoint");
    return target;
  }
  auto endpoint = registry_.findVisible(caller, id);
  if (!endpoint) {
    target.refusal = refused(400, "Requested endpoint not registered");
    return target;
  }
  if (!endpoint->creator.empty() && endpoint->creator != caller.user) {
    target.refusal =
        refused(401,
                "Can not connect - users are not allowed to connect to personal endpoints "
                "created by other users",
                /*plainText=*/true);
    return target;
  }
  if (shared && !caller.isAdmin()) {
    target.refusal =
        refused(401, "Can not connect System Shared endpoint - user is not an administrator",
                /*plainText=*/true);
    return target;
  }
  target.type = registry_.findType(endpoint->type);
  if (!target.type) target.refusal = refused(400, "Endpoint connection not supported");
  target.endpoint = std::move(*endpoint);
  return target;
}

ConnectionChange Connector::connect(const Caller& caller, const EndpointId& id,
                                    const http::FormParameters& form, bool shared,
                                    Deadline deadline) {
  Target target = findTarget(caller, id, shared);
  if (!target.type) return std::move(target.refusal);
  ConnectResult result = target.type->connect(target.endpoint, form, deadline);
  return store(caller, std::move(target), std::move(result), shared);
}

Connector::Target Connector::findSignIn(const Caller& caller, const EndpointId& id) const {
  Target target = findTarget(caller, id, /*shared=*/false);
  if (target.type && !target.endpoint.ssoAllowed) {
    target.type = nullptr;
    target.refusal = refused(403,
                             "Single sign-on is not allowed for this endpoint; an administrator "
                             "allows it in the endpoint's settings");
  }
  return target;
}

Connector::SignInPage Connector::beginSignIn(const Caller& caller, const EndpointId& id,
                                             const auth::SsoFlow& flow) {
  Target target = findSignIn(caller, id);
  if (!target.type) return {.url = {}, .refusal = std::move(target.refusal)};
  auto url = target.type->authorizeUrl(target.endpoint, flow);
  if (!url) {
    return {.url = {}, .refusal = refused(400, "Endpoints of this type have no single sign-on")};
  }
  return {.url = std::move(*url), .refusal = {}};
}

ConnectionChange Connector::endSignIn(const Caller& caller, const EndpointId& id,
                                      const Secret& code, const auth::SsoFlow& flow,
                                      Deadline deadline) {
  Target target = findSignIn(caller, id);
  if (!target.type) return std::move(target.refusal);
  ConnectResult result = target.type->redeem(target.endpoint, code, flow, deadline);
  return store(caller, std::move(target), std::move(result), /*shared=*/false);
}

ConnectionChange Connector::store(const Caller& caller, Target target, ConnectResult result,
                                  bool shared) {
  if (!result.connected) return refused(result.status, std::move(result.message));
  result.token.owner = shared ? UserId{std::string{kSharedUserGuid}} : caller.user;
  result.token.endpoint = target.endpoint.id;
  ConnectionChange change;
  change.token = tokens_.saveEndpointToken(result.token);
  if (registry_.mode() != UserEndpoints::Disabled) clearRivals(caller, target.endpoint);
  log(log_, LogLevel::Info, "endpoint connected",
      {{"endpoint", target.endpoint.id.str()}, {"user", caller.user.str()}, {"shared", shared}});
  change.done = true;
  change.endpoint = std::move(target.endpoint);
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
  const bool removed = remembered_.contains(id) ? tokens_.markDisconnected(owner, id)
                                                : tokens_.removeForEndpoint(owner, id);
  if (!removed) {
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
