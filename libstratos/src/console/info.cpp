#include "console/info.hpp"

#include <map>

#include "console/endpoint_json.hpp"
#include "stratos/base/json_writer.hpp"
#include "stratos/proxy/fan_out.hpp"
#include "stratos/store/schema.hpp"

namespace stratos::console {

namespace {

using store::EndpointRecord;
using store::TokenRecord;

void writeVersion(JsonWriter& json, Services& services) {
  json.beginObject()
      .member("proxy_version", services.options.version)
      .member("database_version", store::reportedSchemaVersion(services.env.database))
      .endObject();
}

/// The stored metadata: as an object when it is one, else as text; null when it only looks like it.
void writeMetadata(JsonWriter& json, const std::string& metadata) {
  json.key("endpoint_metadata");
  if (metadata.size() <= 2 || metadata.front() != '{') {
    json.value(metadata);
    return;
  }
  std::string compact;
  if (proxy::compactJson(metadata, compact)) {
    json.raw(compact);
  } else {
    json.null();
  }
}

void writeTexts(JsonWriter& json, const char* name,
                const std::map<std::string, std::string>& texts) {
  if (texts.empty()) return;
  json.key(name).beginObject();
  for (const auto& [key, text] : texts) json.member(key, text);
  json.endObject();
}

std::map<std::string, std::string> pluginConfig(const Services& services) {
  std::map<std::string, std::string> config;
  for (const auto& contribution : services.contributions) {
    if (contribution.pluginConfig) config.merge(contribution.pluginConfig());
  }
  return config;
}

std::map<std::string, std::string> metadataOf(const Services& services,
                                              const EndpointRecord& endpoint,
                                              const auth::ConnectedUser& user) {
  std::map<std::string, std::string> metadata;
  for (const auto& contribution : services.contributions) {
    if (contribution.endpointMetadata)
      metadata.merge(contribution.endpointMetadata(endpoint, user));
  }
  return metadata;
}

/// For administrators: where the console runs and what its database has been through.
void writeDiagnostics(JsonWriter& json, Services& services) {
  const DiagnosticsOptions& options = services.options.diagnostics;
  const bool isSqlite = services.env.database.dialect() == db::Dialect::Sqlite;
  json.key("diagnostics")
      .beginObject()
      .member("deploymentType", options.deploymentType)
      .member("gitClientVersion", "")  // This console needs no git program.
      .key("databaseMigrations")
      .beginArray();
  for (const db::Row& row : services.env.database.connect().query(
           "SELECT id, version_id, is_applied, tstamp FROM goose_db_version ORDER BY id DESC")) {
    if (!row.boolean("is_applied")) continue;
    const auto at = row.timestamp("tstamp");
    json.beginObject()
        .member("id", row.integer("id"))
        .member("version_id", row.integer("version_id"))
        .member("is_applied", true)
        .member("timestamp", at ? toRfc3339(*at) : "")
        .endObject();
  }
  json.endArray().member("databaseBackend", isSqlite ? "sqlite" : "pgsql");
  for (const auto& [name, text] : std::initializer_list<std::pair<const char*, std::string>>{
           {"helmName", options.helmName},
           {"helmRevision", options.helmRevision},
           {"helmChartVersion", options.helmChartVersion},
           {"helmLastModified", options.helmLastModified}}) {
    if (!text.empty()) json.member(name, text);
  }
  json.endObject();
}

std::string_view nameOf(auth::TokenCondition condition) {
  switch (condition) {
    case auth::TokenCondition::Ok:
      return "ok";
    case auth::TokenCondition::Expired:
      return "expired";
    case auth::TokenCondition::Rejected:
      return "rejected";
    case auth::TokenCondition::Unreachable:
      return "unreachable";
    case auth::TokenCondition::Misconfigured:
      return "misconfigured";
  }
  return "unknown";
}

/// Whether the user can work with an endpoint that is connected, and if not, why and since when.
void writeConnection(JsonWriter& json, Services& services, const EndpointRecord& endpoint,
                     const TokenRecord& token) {
  const auth::TokenState state = services.tokenProvider.stateOf(token);
  std::string_view name = nameOf(state.condition);
  std::string reason = state.reason;
  std::optional<TimePoint> since = state.since;
  if (state.condition == auth::TokenCondition::Ok) {
    if (const auto outage = services.breaker.outageOf(endpoint.id)) {
      name = "unreachable";
      reason = outage->reason;
      since = outage->since;
    }
  }
  json.key("connection").beginObject().member("state", std::string{name});
  if (!reason.empty()) json.member("reason", reason);
  if (since) json.member("since", toRfc3339(*since));
  json.endObject();
}

class CreatorNames {
 public:
  explicit CreatorNames(auth::LoginService& login) : login_(login) {}

  void write(JsonWriter& json, const UserId& creator) {
    json.key("creator").beginObject();
    if (creator.empty()) {
      json.member("name", "System Endpoint").member("admin", false).member("system", true);
    } else {
      const auth::ConnectedUser& user = find(creator);
      json.member("name", user.name).member("admin", user.admin).member("system", false);
    }
    json.endObject();
  }

 private:
  const auth::ConnectedUser& find(const UserId& creator) {
    auto it = known_.find(creator);
    if (it == known_.end()) {
      auto user = login_.findUser(creator);
      if (!user)
        user = auth::ConnectedUser{
            .guid = creator.str(), .name = "user", .admin = false, .scopes = std::nullopt};
      it = known_.emplace(creator, std::move(*user)).first;
    }
    return it->second;
  }

  auth::LoginService& login_;
  std::map<UserId, auth::ConnectedUser> known_;
};

void writeEndpoints(JsonWriter& json, Services& services, const auth::ConnectedUser& user) {
  const endpoint::Caller caller{.user = UserId{user.guid}, .isAdmin = [&] { return user.admin; }};
  const auto endpoints = services.registry.listVisible(caller);

  std::vector<EndpointId> unreadable;
  std::map<EndpointId, TokenRecord> tokens;
  for (auto& token : services.tokenStore.listForUser(caller.user, &unreadable)) {
    EndpointId id = token.endpoint;
    tokens.emplace(std::move(id), std::move(token));
  }
  for (const auto& id : unreadable) {
    log(services.env.log, LogLevel::Error, "a stored token cannot be decrypted",
        {{"endpoint", id.str()}, {"user", user.guid}});
  }

  const auto identity = services.identity();
  CreatorNames creators(*identity->login);
  json.beginObject();
  for (const auto& type : services.registry.typeNames()) {
    json.key(type).beginObject();
    for (const auto& endpoint : endpoints) {
      if (endpoint.type != type) continue;
      json.key(endpoint.id.str()).beginObject();
      writeEndpointMembers(json, endpoint);
      json.member("local", false).member("ca_cert", endpoint.caCertificate);
      writeMetadata(json, endpoint.metadata);
      json.key("user");
      const auto token = tokens.find(endpoint.id);
      if (token == tokens.end()) {
        json.null();
      } else {
        writeUser(json, services.tokenProvider.schemes().userOf(token->second, type));
        writeConnection(json, services, endpoint, token->second);
      }
      creators.write(json, endpoint.creator);
      writeTexts(json, "metadata", metadataOf(services, endpoint, user));
      json.member("system_shared_token", token != tokens.end() && token->second.isShared());
      json.endObject();
    }
    json.endObject();
  }
  json.endObject();
}

}  // namespace

std::string versionDocument(Services& services) {
  JsonWriter json;
  writeVersion(json, services);
  return json.str();
}

std::string infoDocument(Services& services, const auth::ConnectedUser& user) {
  const ConsoleOptions& options = services.options;
  JsonWriter json;
  json.beginObject().key("version");
  writeVersion(json, services);
  json.key("user");
  auth::ConnectedUser shown = user;
  if (!shown.scopes) shown.scopes.emplace();  // The front end reads its length unguarded.
  writeUser(json, shown);
  json.key("endpoints");
  writeEndpoints(json, services, user);
  json.key("plugins").beginObject();
  for (const auto& name : services.plugins) json.member(name, true);
  json.endObject();
  writeTexts(json, "plugin-config", pluginConfig(services));
  for (const auto& contribution : services.contributions) {
    if (contribution.object) {
      writeTexts(json, contribution.objectName.c_str(), contribution.object());
    }
  }
  if (user.admin) writeDiagnostics(json, services);
  json.key("config").beginObject().member("enableTechPreview", options.enableTechPreview);
  if (options.listMaxSize != 0) json.member("listMaxSize", options.listMaxSize);
  if (options.listAllowLoadMaxed) json.member("listAllowLoadMaxed", true);
  json.member("APIKeysEnabled", options.apiKeysEnabled)
      .member("homeViewShowFavoritesOnly", options.homeViewShowFavoritesOnly)
      .member("userEndpointsEnabled", endpoint::toString(options.endpoints.userEndpoints))
      .endObject();
  json.endObject();
  return json.str();
}

}  // namespace stratos::console
