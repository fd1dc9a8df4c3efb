#pragma once

#include <string>

#include "stratos/auth/connected_user.hpp"
#include "stratos/base/json_writer.hpp"
#include "stratos/store/endpoint_store.hpp"

namespace stratos::console {

/// A URL as the front end knows it: the members of Go's URL struct, in its order.
void writeUrl(JsonWriter& json, const std::string& url);
/// `{"guid","name","admin","scopes"}`.
void writeUser(JsonWriter& json, const auth::ConnectedUser& user);
/// The endpoint record of the list and of the answer to a registration; no secret.
void writeEndpoint(JsonWriter& json, const store::EndpointRecord& endpoint);
/// The members with which record and info begin, `guid` to `sub_type`, without braces.
void writeEndpointMembers(JsonWriter& json, const store::EndpointRecord& endpoint);

}  // namespace stratos::console
