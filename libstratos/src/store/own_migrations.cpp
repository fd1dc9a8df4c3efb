#include "store/upstream_schema.hpp"
#include "stratos/store/schema.hpp"

namespace stratos::store {

namespace {

// The first step of all, before upstream's: whether we created the database can be seen only as
// long as upstream's history does not exist, and must be recorded together with that look.
void createSettings(db::Connection& connection) {
  const bool isTakenOver = db::hasTable(connection, kUpstreamHistoryTable);
  connection.execute(
      "CREATE TABLE stratos_settings ("
      " name VARCHAR(255) NOT NULL, value TEXT NOT NULL, PRIMARY KEY (name))");
  connection.execute(
      "INSERT INTO stratos_settings (name, value) VALUES ($1, $2)",
      {std::string(kCiphertextFormatSetting), std::string(isTakenOver ? "legacy" : "gcm")});
}

void createSessions(db::Connection& connection) {
  connection.execute(
      "CREATE TABLE stratos_sessions ("
      " id_hash VARCHAR(64) NOT NULL, user_guid VARCHAR(255) NOT NULL,"
      " token_expiry BIGINT NOT NULL, xsrf_token TEXT NOT NULL, created_at BIGINT NOT NULL,"
      " expires_at BIGINT NOT NULL, PRIMARY KEY (id_hash))");
  connection.execute("CREATE INDEX stratos_sessions_user ON stratos_sessions (user_guid)");
  connection.execute("CREATE INDEX stratos_sessions_expiry ON stratos_sessions (expires_at)");
}

void createIndexes(db::Connection& connection) {
  for (const char* index : {
           "stratos_cnsis_api_endpoint ON cnsis (api_endpoint)",
           "stratos_cnsis_creator ON cnsis (creator)",
           "stratos_tokens_cnsi_user ON tokens (cnsi_guid, user_guid)",
           "stratos_favorites_endpoint ON favorites (endpoint_id)",
           "stratos_api_keys_user ON api_keys (user_guid)",
           "stratos_session_data_session ON session_data (session, groupName)",
           "stratos_analysis_user ON analysis (user_guid, endpoint)",
           "stratos_helm_charts_repository ON helm_charts (repo_name, name)",
       }) {
    connection.execute(std::string("CREATE INDEX IF NOT EXISTS ") + index);
  }
}

// What a user's own list of sessions shows. Rows of before have no id to be named by; they end
// soon.
void describeSessions(db::Connection& connection) {
  for (const char* column :
       {"public_id VARCHAR(36) DEFAULT '' NOT NULL", "last_seen_at BIGINT DEFAULT 0 NOT NULL",
        "address VARCHAR(64) DEFAULT '' NOT NULL", "user_agent VARCHAR(255) DEFAULT '' NOT NULL"}) {
    connection.execute(std::string("ALTER TABLE stratos_sessions ADD COLUMN ") + column);
  }
}

// What upstream's api_keys has no place for. A row here also says that the secret there is a hash.
void createApiKeys(db::Connection& connection) {
  connection.execute(
      "CREATE TABLE stratos_api_keys ("
      " guid VARCHAR(36) NOT NULL, created_at BIGINT NOT NULL, expires_at BIGINT,"
      " PRIMARY KEY (guid))");
}

void createSignInFailures(db::Connection& connection) {
  connection.execute(
      "CREATE TABLE stratos_sign_in_failures ("
      " key_hash VARCHAR(64) NOT NULL, failures BIGINT NOT NULL, blocked_until BIGINT NOT NULL,"
      " changed_at BIGINT NOT NULL, PRIMARY KEY (key_hash))");
  connection.execute(
      "CREATE INDEX stratos_sign_in_failures_age ON stratos_sign_in_failures (changed_at)");
}

void createTokenLeases(db::Connection& connection) {
  connection.execute(
      "CREATE TABLE stratos_token_leases ("
      " owner_guid VARCHAR(255) NOT NULL, token_guid VARCHAR(255) NOT NULL,"
      " holder VARCHAR(64) NOT NULL, expires_at BIGINT NOT NULL,"
      " PRIMARY KEY (owner_guid, token_guid))");
}

}  // namespace

std::vector<db::Migration> ownMigrations() {
  return {
      {1, "settings", createSettings},
      {2, "sessions", createSessions},
      {3, "indexes on upstream's tables", createIndexes},
      {4, "description of sessions", describeSessions},
      {5, "expiry of API keys", createApiKeys},
      {6, "failed sign-ins", createSignInFailures},
      {7, "token leases", createTokenLeases},
  };
}

}  // namespace stratos::store
