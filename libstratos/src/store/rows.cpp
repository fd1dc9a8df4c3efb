#include "store/rows.hpp"

namespace stratos::store {

EndpointRecord readEndpointRow(const db::Row& row) {
  EndpointRecord record;
  record.id = EndpointId(row.text("guid"));
  record.name = row.text("name");
  record.type = row.text("cnsi_type");
  record.subType = row.text("sub_type");
  record.apiUrl = row.text("api_endpoint");
  while (record.apiUrl.ends_with('/')) record.apiUrl.pop_back();
  record.authorizationEndpoint = row.text("auth_endpoint");
  record.tokenEndpoint = row.text("token_endpoint");
  record.dopplerLoggingEndpoint = row.text("doppler_logging_endpoint");
  record.skipSslValidation = row.boolean("skip_ssl_validation");
  record.clientId = row.text("client_id");
  record.ssoAllowed = row.boolean("sso_allowed");
  record.metadata = row.text("meta_data");
  record.caCertificate = row.text("ca_cert");
  record.creator = UserId(row.text("creator"));
  return record;
}

}  // namespace stratos::store
