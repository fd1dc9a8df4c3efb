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

// Whoever changes a row announces it with the same transaction, so that other processes drop what
// they have cached; ChangeListener listens, CachedStores::apply() understands. Triggers, because
// then every writer does it: this library, upstream's console, and people.
void announceChanges(db::Connection& connection) {
  if (connection.dialect() != db::Dialect::PostgreSql) return;
  struct Announced {
    const char* table;
    const char* kind;
    const char* column;
    const char* events;
  };
  for (const Announced& each :
       {Announced{"stratos_sessions", "session", "id_hash", "UPDATE OR DELETE"},
        Announced{"cnsis", "endpoint", "guid", "UPDATE OR DELETE"},
        // A new token of a user's own replaces a shared one.
        Announced{"tokens", "token", "user_guid", "INSERT OR UPDATE OR DELETE"}}) {
    const std::string function = std::string("stratos_announce_") + each.kind;
    // NOTIFY refuses 8000 bytes and more; what names no row means all of them.
    const auto notify = [&](const char* row) {
      const std::string key = std::string(row) + "." + each.column;
      return " PERFORM pg_catalog.pg_notify('stratos_changes', CASE WHEN octet_length(" + key +
             ") < 1000 THEN '" + each.kind + " ' || " + key + " ELSE 'everything' END);";
    };
    connection.execute(
        "CREATE OR REPLACE FUNCTION " + function +
        "() RETURNS trigger LANGUAGE plpgsql AS $body$ BEGIN"
        " IF TG_OP = 'TRUNCATE' THEN"
        " PERFORM pg_catalog.pg_notify('stratos_changes', 'everything'); RETURN NULL; END IF;"
        " IF TG_OP <> 'INSERT' THEN" +
        notify("OLD") + " END IF; IF TG_OP <> 'DELETE' THEN" + notify("NEW") +
        " END IF; RETURN NULL; END $body$");
    const auto trigger = [&](const std::string& name, const std::string& when) {
      connection.execute("DROP TRIGGER IF EXISTS " + name + " ON " + each.table);
      connection.execute("CREATE TRIGGER " + name + " AFTER " + when + " EXECUTE FUNCTION " +
                         function + "()");
    };
    trigger("stratos_announce", std::string(each.events) + " ON " + each.table + " FOR EACH ROW");
    trigger("stratos_announce_truncate",
            std::string("TRUNCATE ON ") + each.table + " FOR EACH STATEMENT");
  }
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
      {8, "announcements of changes", announceChanges},
  };
}

}  // namespace stratos::store
