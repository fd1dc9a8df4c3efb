#include "console/endpoint_json.hpp"

#include "stratos/base/encoding.hpp"
#include "stratos/base/url.hpp"

namespace stratos::console {

void writeUrl(JsonWriter& json, const std::string& text) {
  const auto url = Url::tryParse(text);
  const std::string rawPath = url ? url->rawPath() : text;
  const std::string path = percentDecode(rawPath).value_or(rawPath);
  json.beginObject()
      .member("Scheme", url ? url->scheme() : std::string{})
      .member("Opaque", "")
      .key("User")
      .null()
      .member("Host", url ? url->hostAsWritten() : std::string{})
      .member("Path", path)
      .member("RawPath", path == rawPath ? std::string{} : rawPath)
      .member("OmitHost", false)
      .member("ForceQuery", false)
      .member("RawQuery", url ? url->rawQuery() : std::string{})
      .member("Fragment", "")
      .member("RawFragment", "")
      .endObject();
}

void writeUser(JsonWriter& json, const auth::ConnectedUser& user) {
  json.beginObject()
      .member("guid", user.guid)
      .member("name", user.name)
      .member("admin", user.admin)
      .key("scopes");
  if (user.scopes) {
    json.beginArray();
    for (const auto& scope : *user.scopes) json.value(scope);
    json.endArray();
  } else {
    json.null();
  }
  json.endObject();
}

void writeEndpointMembers(JsonWriter& json, const store::EndpointRecord& endpoint) {
  json.member("guid", endpoint.id.str())
      .member("name", endpoint.name)
      .member("cnsi_type", endpoint.type)
      .key("api_endpoint");
  writeUrl(json, endpoint.apiUrl);
  json.member("authorization_endpoint", endpoint.authorizationEndpoint)
      .member("token_endpoint", endpoint.tokenEndpoint)
      .member("doppler_logging_endpoint", endpoint.dopplerLoggingEndpoint)
      .member("skip_ssl_validation", endpoint.skipSslValidation)
      .member("client_id", endpoint.clientId)
      .member("sso_allowed", endpoint.ssoAllowed)
      .member("sub_type", endpoint.subType);
}

void writeEndpoint(JsonWriter& json, const store::EndpointRecord& endpoint) {
  json.beginObject();
  writeEndpointMembers(json, endpoint);
  json.member("metadata", endpoint.metadata)
      .member("local", false)
      .member("creator", endpoint.creator.str())
      .member("ca_cert", endpoint.caCertificate)
      .endObject();
}

}  // namespace stratos::console
