#include "stratos/endpoint/endpoint_type.hpp"

namespace stratos::endpoint {

std::optional<std::string> EndpointType::authorizeUrl(const store::EndpointRecord&,
                                                      const auth::SsoFlow&) const {
  return std::nullopt;
}

ConnectResult EndpointType::redeem(const store::EndpointRecord&, const Secret&,
                                   const auth::SsoFlow&, Deadline) {
  ConnectResult result;
  result.message = "Endpoints of this type have no single sign-on";
  return result;
}

}  // namespace stratos::endpoint
