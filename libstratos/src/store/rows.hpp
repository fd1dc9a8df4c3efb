#pragma once

#include <string>

#include "stratos/base/ids.hpp"
#include "stratos/db/value.hpp"
#include "stratos/store/endpoint_store.hpp"

namespace stratos::store {

/// What upstream keeps in both token columns of a row that links to another.
inline constexpr const char* kLinkedText = "LINKED TOKEN";

/// The columns that readEndpointRow() needs.
inline constexpr const char* kEndpointColumns =
    "guid, name, cnsi_type, api_endpoint, auth_endpoint, token_endpoint,"
    " doppler_logging_endpoint, skip_ssl_validation, client_id, client_secret, sso_allowed,"
    " sub_type, meta_data, ca_cert, creator";

/// A row of `cnsis`, its secret left out.
[[nodiscard]] EndpointRecord readEndpointRow(const db::Row& row);

/// What binds an encrypted value to its place: one spelling for all who read or write it.
[[nodiscard]] inline std::string clientSecretIdentity(const EndpointId& id) {
  return "cnsis.client_secret:" + id.str();
}
[[nodiscard]] inline std::string authTokenIdentity(const TokenId& id) {
  return "tokens.auth_token:" + id.str();
}
[[nodiscard]] inline std::string refreshTokenIdentity(const TokenId& id) {
  return "tokens.refresh_token:" + id.str();
}

}  // namespace stratos::store
