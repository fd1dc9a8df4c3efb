#include "store/upstream_schema.hpp"
#include "stratos/store/schema.hpp"

namespace stratos::store {

namespace {

using db::Connection;
using db::Dialect;
using db::hasColumn;
using db::hasTable;

bool isPostgreSql(const Connection& connection) {
  return connection.dialect() == Dialect::PostgreSql;
}

// Databases of the field lack rows for steps that they have taken, so every step looks first.
void addColumn(Connection& connection, const std::string& table, const std::string& column,
               const std::string& type) {
  if (hasColumn(connection, table, column)) return;
  connection.execute("ALTER TABLE " + table + " ADD COLUMN " + column + " " + type);
}

void createIndex(Connection& connection, const std::string& name, const std::string& target) {
  connection.execute("CREATE INDEX IF NOT EXISTS " + name + " ON " + target);
}

void addPrimaryKey(Connection& connection, const std::string& table, const std::string& name,
                   const std::string& columns) {
  const auto existing = connection.queryOne(
      "SELECT 1 AS found FROM pg_catalog.pg_constraint"
      " WHERE contype = 'p' AND conrelid = CAST(CAST($1 AS text) AS regclass)",
      {table});
  if (existing) return;
  connection.execute("ALTER TABLE " + table + " ADD CONSTRAINT " + name + " PRIMARY KEY (" +
                     columns + ")");
}

void createTokensAndEndpoints(Connection& connection) {
  connection.execute(
      "CREATE TABLE IF NOT EXISTS tokens ("
      " user_guid VARCHAR(36) NOT NULL, cnsi_guid VARCHAR(36), token_type VARCHAR(4) NOT NULL,"
      " auth_token BYTEA NOT NULL, refresh_token BYTEA NOT NULL, token_expiry BIGINT NOT NULL,"
      " last_updated TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)");
  createIndex(connection, "tokens_user_guid", "tokens (user_guid)");
  createIndex(connection, "tokens_cnsi_guid", "tokens (cnsi_guid)");
  createIndex(connection, "tokens_token_type", "tokens (token_type)");
  connection.execute(
      "CREATE TABLE IF NOT EXISTS cnsis ("
      " guid VARCHAR(36) NOT NULL UNIQUE, name VARCHAR(255) NOT NULL,"
      " cnsi_type VARCHAR(3) NOT NULL, api_endpoint VARCHAR(255) NOT NULL,"
      " auth_endpoint VARCHAR(255) NOT NULL, token_endpoint VARCHAR(255) NOT NULL,"
      " doppler_logging_endpoint VARCHAR(255) NOT NULL,"
      " skip_ssl_validation BOOLEAN NOT NULL DEFAULT FALSE,"
      " last_updated TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, PRIMARY KEY (guid))");
  createIndex(connection, "cnsis_name", "cnsis (name)");
  createIndex(connection, "cnsis_cnsi_type", "cnsis (cnsi_type)");
}

void createConsoleConfig(Connection& connection) {
  connection.execute(
      "CREATE TABLE IF NOT EXISTS console_config ("
      " uaa_endpoint VARCHAR(255) NOT NULL, console_admin_scope VARCHAR(255) NOT NULL,"
      " console_client VARCHAR(255) NOT NULL, console_client_secret VARCHAR(255) NOT NULL,"
      " skip_ssl_validation BOOLEAN NOT NULL DEFAULT FALSE,"
      " is_setup_complete BOOLEAN NOT NULL DEFAULT FALSE,"
      " last_updated TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)");
  if (isPostgreSql(connection)) {
    connection.execute(
        "CREATE UNIQUE INDEX IF NOT EXISTS console_config_one_row"
        " ON console_config ((uaa_endpoint IS NOT NULL))");
  }
}

void addDisconnected(Connection& connection) {
  addColumn(connection, "tokens", "disconnected", "BOOLEAN NOT NULL DEFAULT FALSE");
}

void addAuthType(Connection& connection) {
  addColumn(connection, "tokens", "auth_type", "VARCHAR(255) DEFAULT 'OAuth2'");
  addColumn(connection, "tokens", "meta_data", "TEXT");
}

void widenEndpointType(Connection& connection) {
  if (!isPostgreSql(connection)) return;
  connection.execute("ALTER TABLE cnsis ALTER COLUMN cnsi_type TYPE VARCHAR(16)");
  connection.execute("ALTER TABLE cnsis ALTER COLUMN cnsi_type SET NOT NULL");
}

void changeNothing(Connection&) {}

void addClient(Connection& connection) {
  addColumn(connection, "cnsis", "client_id", "VARCHAR(255) NOT NULL DEFAULT 'cf'");
  addColumn(connection, "cnsis", "client_secret", "BYTEA");
}

void deleteOrphanTokens(Connection& connection) {
  connection.execute(
      "DELETE FROM tokens WHERE token_type = 'cnsi'"
      " AND cnsi_guid NOT IN (SELECT guid FROM cnsis)");
}

void addTokenGuid(Connection& connection) {
  addColumn(connection, "tokens", "token_guid", "VARCHAR(36) DEFAULT 'default-token'");
  addColumn(connection, "tokens", "linked_token", "VARCHAR(36)");
  connection.execute("UPDATE tokens SET token_guid = user_guid WHERE token_type = 'uaa'");
  connection.execute("UPDATE tokens SET token_guid = cnsi_guid WHERE token_guid = 'default-token'");
}

void addSsoAllowed(Connection& connection) {
  addColumn(connection, "cnsis", "sso_allowed", "BOOLEAN NOT NULL DEFAULT FALSE");
}

void addUseSso(Connection& connection) {
  addColumn(connection, "console_config", "use_sso", "BOOLEAN NOT NULL DEFAULT FALSE");
}

void createFavorites(Connection& connection) {
  connection.execute(
      "CREATE TABLE IF NOT EXISTS favorites ("
      " guid VARCHAR(255) NOT NULL, user_guid VARCHAR(36) NOT NULL,"
      " endpoint_type VARCHAR(16) NOT NULL, endpoint_id VARCHAR(255) NOT NULL,"
      " entity_type VARCHAR(255) NOT NULL, entity_id VARCHAR(255), metadata TEXT,"
      " last_updated TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,"
      " PRIMARY KEY (guid, user_guid))");
  createIndex(connection, "favorites_user_guid", "favorites (user_guid)");
}

void addSubType(Connection& connection) {
  addColumn(connection, "cnsis", "sub_type", "VARCHAR(64) DEFAULT NULL");
  addColumn(connection, "cnsis", "meta_data", "TEXT DEFAULT NULL");
}

void createCharts(Connection& connection) {
  connection.execute(
      "CREATE TABLE IF NOT EXISTS charts ("
      " id VARCHAR(255) NOT NULL, name VARCHAR(255) NOT NULL, repo_name VARCHAR(255) NOT NULL,"
      " update_batch VARCHAR(64) NOT NULL, content TEXT, PRIMARY KEY (id))");
  createIndex(connection, "charts_id", "charts (id)");
  connection.execute(
      "CREATE TABLE IF NOT EXISTS chart_files ("
      " id VARCHAR(255) NOT NULL, filename VARCHAR(64) NOT NULL, chart_id VARCHAR(255) NOT NULL,"
      " name VARCHAR(255) NOT NULL, repo_name VARCHAR(255) NOT NULL,"
      " digest VARCHAR(255) NOT NULL, content TEXT, PRIMARY KEY (id, filename))");
}

void addAuthEndpoint(Connection& connection) {
  addColumn(connection, "console_config", "auth_endpoint", "VARCHAR(255)");
}

void createLocalUsers(Connection& connection) {
  addColumn(connection, "console_config", "auth_endpoint_type", "VARCHAR(255)");
  connection.execute(
      "CREATE TABLE IF NOT EXISTS local_users ("
      " user_guid VARCHAR(36) NOT NULL UNIQUE, password_hash BYTEA NOT NULL,"
      " user_name VARCHAR(128) NOT NULL UNIQUE, user_email VARCHAR(254),"
      " user_scope VARCHAR(64), last_login TIMESTAMP,"
      " last_updated TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, PRIMARY KEY (user_guid))");
  createIndex(connection, "local_users_user_guid", "local_users (user_guid)");
  createIndex(connection, "local_users_user_name", "local_users (user_name)");
}

void createConfig(Connection& connection) {
  connection.execute(
      "CREATE TABLE IF NOT EXISTS config ("
      " groupName VARCHAR(255) NOT NULL, name VARCHAR(255) NOT NULL,"
      " value VARCHAR(255) NOT NULL,"
      " last_updated TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)");
  connection.execute(
      "INSERT INTO config (groupName, name, value)"
      " VALUES ('system', '__CONFIG_MIGRATION_NEEDED', 'true')");
}

// Releases 2.5 and 2.6 left a trigger on local_users, which on PostgreSQL calls itself at any
// update.
void dropUserTrigger(Connection& connection) {
  if (!isPostgreSql(connection)) {
    connection.execute("DROP TRIGGER IF EXISTS update_last_updated");
    return;
  }
  const auto trigger = connection.queryOne(
      "SELECT format('%I.%I()', n.nspname, p.proname) AS function,"
      " (SELECT count(*) FROM pg_catalog.pg_trigger o WHERE o.tgfoid = p.oid) AS uses"
      " FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid"
      " JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace"
      " WHERE t.tgname = 'update_trigger' AND t.tgrelid = 'local_users'::regclass");
  if (!trigger) return;
  connection.execute("DROP TRIGGER update_trigger ON local_users");
  if (trigger->integer("uses") == 1) {
    connection.execute("DROP FUNCTION " + trigger->text("function"));
  }
}

void addUserNames(Connection& connection) {
  dropUserTrigger(connection);
  addColumn(connection, "local_users", "given_name", "VARCHAR(128)");
  addColumn(connection, "local_users", "family_name", "VARCHAR(128)");
  connection.execute("UPDATE local_users SET given_name = 'Admin', family_name = 'User'");
}

void addPrimaryKeys(Connection& connection) {
  connection.execute(
      "UPDATE tokens SET cnsi_guid = 'STRATOS' WHERE token_type = 'uaa' AND cnsi_guid IS NULL");
  if (!isPostgreSql(connection)) return;
  // Races of early releases doubled rows, and rows that were doubled before they had ids got the
  // same one, which the key does not allow. The one that lasts longest stays.
  connection.execute(
      "DELETE FROM tokens old USING tokens kept WHERE old.user_guid = kept.user_guid"
      " AND old.cnsi_guid = kept.cnsi_guid AND old.token_guid = kept.token_guid"
      " AND (old.token_expiry, old.ctid) < (kept.token_expiry, kept.ctid)");
  addPrimaryKey(connection, "tokens", "pk_tokens", "user_guid, cnsi_guid, token_guid");
  addPrimaryKey(connection, "console_config", "pk_consoleconfig",
                "uaa_endpoint, console_admin_scope");
  addPrimaryKey(connection, "config", "pk_config", "groupName, name");
}

void createSessionData(Connection& connection) {
  connection.execute(
      "CREATE TABLE IF NOT EXISTS session_data ("
      " session VARCHAR(255) NOT NULL, groupName VARCHAR(32) NOT NULL, name VARCHAR(64) NOT NULL,"
      " value TEXT NOT NULL, keep_on_expire BOOLEAN NOT NULL DEFAULT FALSE,"
      " expired BOOLEAN NOT NULL DEFAULT FALSE)");
}

void dropCharts(Connection& connection) {
  connection.execute("DROP TABLE IF EXISTS charts");
  connection.execute("DROP TABLE IF EXISTS chart_files");
}

void createAnalysisWithUserColumn(Connection& connection, const std::string& userColumn) {
  connection.execute(
      "CREATE TABLE IF NOT EXISTS analysis ("
      " id VARCHAR(255) NOT NULL, endpoint VARCHAR(36) NOT NULL,"
      " endpoint_type VARCHAR(36) NOT NULL, name VARCHAR(255) NOT NULL, " +
      userColumn +
      " VARCHAR(36) NOT NULL, path VARCHAR(255) NOT NULL, type VARCHAR(64) NOT NULL,"
      " format VARCHAR(64) NOT NULL, created TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,"
      " acknowledged BOOLEAN NOT NULL DEFAULT FALSE, status VARCHAR(16) NOT NULL,"
      " duration INT NOT NULL DEFAULT 0, result VARCHAR(255) NOT NULL, PRIMARY KEY (id))");
}

void createAnalysis(Connection& connection) {
  createAnalysisWithUserColumn(connection, isPostgreSql(connection) ? "user_guid" : "\"user\"");
}

void createApiKeys(Connection& connection) {
  connection.execute(
      "CREATE TABLE IF NOT EXISTS api_keys ("
      " guid VARCHAR(36) NOT NULL UNIQUE, secret VARCHAR(64) NOT NULL UNIQUE,"
      " user_guid VARCHAR(36) NOT NULL, comment VARCHAR(255) NOT NULL, last_used TIMESTAMP,"
      " PRIMARY KEY (guid))");
}

void createHelmCharts(Connection& connection) {
  connection.execute(
      "CREATE TABLE IF NOT EXISTS helm_charts ("
      " endpoint VARCHAR(64) NOT NULL, name VARCHAR(255) NOT NULL,"
      " repo_name VARCHAR(255) NOT NULL, version VARCHAR(64) NOT NULL,"
      " created TIMESTAMP NOT NULL, app_version VARCHAR(64) NOT NULL,"
      " description VARCHAR(255) NOT NULL, icon_url VARCHAR(255) NOT NULL,"
      " chart_url VARCHAR(255) NOT NULL, source_url VARCHAR(255) NOT NULL,"
      " digest VARCHAR(64) NOT NULL, is_latest BOOLEAN NOT NULL DEFAULT FALSE,"
      " update_batch VARCHAR(64) NOT NULL, PRIMARY KEY (endpoint, name, version))");
  createIndex(connection, "helm_charts_endpoint", "helm_charts (endpoint, name, version)");
  createIndex(connection, "helm_charts_repository", "helm_charts (name, repo_name, version)");
}

void markHelmRepositories(Connection& connection) {
  connection.execute("UPDATE cnsis SET sub_type = 'repo' WHERE cnsi_type = 'helm'");
}

void deleteHelmHubs(Connection& connection) {
  connection.execute("DELETE FROM cnsis WHERE cnsi_type = 'helm' AND sub_type = 'hub'");
}

void renameAnalysisUser(Connection& connection) {
  if (isPostgreSql(connection) || !hasColumn(connection, "analysis", "user")) return;
  connection.execute("ALTER TABLE analysis RENAME COLUMN \"user\" TO user_guid");
}

void addCaCertificate(Connection& connection) {
  addColumn(connection, "cnsis", "ca_cert", "TEXT");
  addColumn(connection, "tokens", "enabled", "BOOLEAN NOT NULL DEFAULT TRUE");
}

void addCreator(Connection& connection) {
  addColumn(connection, "cnsis", "creator", "VARCHAR(36) NOT NULL DEFAULT ''");
}

}  // namespace

std::vector<db::Migration> upstreamMigrations() {
  return {
      {20170818120003, "tokens and endpoints", createTokensAndEndpoints},
      {20170818162837, "console configuration", createConsoleConfig},
      {20170829154900, "disconnected tokens", addDisconnected},
      {20171108102900, "auth types", addAuthType},
      {20180413135700, "longer endpoint types", widenEndpointType},
      {20180627111300, "nothing", changeNothing},
      {20180703142800, "endpoint clients", addClient},
      {20180813110300, "orphan tokens", deleteOrphanTokens},
      {20180824092600, "token ids and links", addTokenGuid},
      {20180831104300, "SSO per endpoint", addSsoAllowed},
      {20180907123000, "SSO of the console", addUseSso},
      {20181129140500, "favorites", createFavorites},
      {20190305144600, "endpoint sub types", addSubType},
      {20190307115300, "charts", createCharts},
      {20190515133200, "authorization endpoint", addAuthEndpoint},
      {20190522121200, "local users", createLocalUsers},
      {20190621212700, "configuration", createConfig},
      {20190918092300, "names of local users", addUserNames},
      {20190930092500, "trigger of local users", dropUserTrigger},
      {20191008121900, "primary keys", addPrimaryKeys},
      {20200117152200, "session data", createSessionData},
      {20200206090600, "charts dropped", dropCharts},
      {20200210105400, "analysis", createAnalysis},
      {20200814140918, "API keys", createApiKeys},
      {20200819184800, "Helm charts", createHelmCharts},
      {20200902162200, "Helm repositories", markHelmRepositories},
      {20201005105400, "analysis again", createAnalysis},
      {20201007113503, "Helm hubs", deleteHelmHubs},
      {20201102132553, "user of an analysis", renameAnalysisUser},
      {20201201163100, "CA certificates", addCaCertificate},
      {20210201110000, "creator of an endpoint", addCreator},
      {kUpstreamSchemaVersion, "CA certificates again", addCaCertificate},
  };
}

std::vector<std::string> missingUpstreamParts(Connection& connection, std::int64_t version) {
  // Each part with the last migration that makes it.
  std::vector<std::string> missing;
  if (version >= 20201005105400 && !hasTable(connection, "analysis")) missing.push_back("analysis");
  if (version >= 20200819184800 && !hasTable(connection, "helm_charts")) {
    missing.push_back("helm_charts");
  }
  if (version >= kUpstreamSchemaVersion) {
    if (!hasColumn(connection, "cnsis", "ca_cert")) missing.push_back("cnsis.ca_cert");
    if (!hasColumn(connection, "tokens", "enabled")) missing.push_back("tokens.enabled");
  }
  return missing;
}

void repairUpstreamSchema(Connection& connection) {
  addCaCertificate(connection);
  if (!hasTable(connection, "analysis")) createAnalysisWithUserColumn(connection, "user_guid");
  if (!hasTable(connection, "helm_charts")) createHelmCharts(connection);
}

}  // namespace stratos::store
