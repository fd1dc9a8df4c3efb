#include "upstream_database.hpp"

#include <algorithm>
#include <array>

#include "stratos/base/encoding.hpp"
#include "stratos/base/ids.hpp"
#include "stratos/crypto/token_cipher.hpp"

namespace stratos::takeover {

namespace {

using Statements = std::vector<std::string>;

constexpr std::array<std::int64_t, kSteps> kVersions = {
    20170818120003, 20170818162837, 20170829154900, 20171108102900, 20180413135700, 20180627111300,
    20180703142800, 20180813110300, 20180824092600, 20180831104300, 20180907123000, 20181129140500,
    20190305144600, 20190307115300, 20190515133200, 20190522121200, 20190621212700, 20190918092300,
    20190930092500, 20191008121900, 20200117152200, 20200206090600, 20200210105400, 20200814140918,
    20200819184800, 20200902162200, 20201005105400, 20201007113503, 20201102132553, 20201201163100,
    20210201110000, 20240818042100};

// $2a$, as Go writes it.
constexpr const char* kCheapHash = "$2a$04$N9qo8uLOickgx2ZMRZoMye9COBKsOPKEJDHJoe/BuRouJin6Qswhq";
constexpr const char* kCostlyHash = "$2a$14$N9qo8uLOickgx2ZMRZoMyeTBGKfVmqkq6RiP/tnU.Rz96IKH5ho1a";

constexpr const char* kTimestampDefault = " TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP";

std::string analysisTable(bool isPostgreSql) {
  return std::string(
             "CREATE TABLE IF NOT EXISTS analysis (id VARCHAR(255) NOT NULL,"
             " endpoint VARCHAR(36) NOT NULL, endpoint_type VARCHAR(36) NOT NULL,"
             " name VARCHAR(255) NOT NULL, ") +
         (isPostgreSql ? "user_guid" : "user") +
         " VARCHAR(36) NOT NULL, path VARCHAR(255) NOT NULL, type VARCHAR(64) NOT NULL,"
         " format VARCHAR(64) NOT NULL, created" +
         kTimestampDefault +
         ", acknowledged BOOLEAN NOT NULL DEFAULT FALSE, status VARCHAR(16) NOT NULL,"
         " duration INT NOT NULL DEFAULT 0, result VARCHAR(255) NOT NULL, PRIMARY KEY (id))";
}

Statements caCertificate() {
  return {"ALTER TABLE cnsis ADD ca_cert TEXT",
          "ALTER TABLE tokens ADD enabled BOOLEAN NOT NULL DEFAULT TRUE"};
}

Statements firstTables() {
  return {std::string("CREATE TABLE IF NOT EXISTS tokens (user_guid VARCHAR(36) NOT NULL,"
                      " cnsi_guid VARCHAR(36), token_type VARCHAR(4) NOT NULL,"
                      " auth_token BYTEA NOT NULL, refresh_token BYTEA NOT NULL,"
                      " token_expiry BIGINT NOT NULL, last_updated") +
              kTimestampDefault + ")",
          "CREATE INDEX tokens_user_guid ON tokens (user_guid)",
          "CREATE INDEX tokens_cnsi_guid ON tokens (cnsi_guid)",
          "CREATE INDEX tokens_token_type ON tokens (token_type)",
          std::string("CREATE TABLE IF NOT EXISTS cnsis (guid VARCHAR(36) NOT NULL UNIQUE,"
                      " name VARCHAR(255) NOT NULL, cnsi_type VARCHAR(3) NOT NULL,"
                      " api_endpoint VARCHAR(255) NOT NULL, auth_endpoint VARCHAR(255) NOT NULL,"
                      " token_endpoint VARCHAR(255) NOT NULL,"
                      " doppler_logging_endpoint VARCHAR(255) NOT NULL,"
                      " skip_ssl_validation BOOLEAN NOT NULL DEFAULT FALSE, last_updated") +
              kTimestampDefault + ", PRIMARY KEY (guid))",
          "CREATE INDEX cnsis_name ON cnsis (name)",
          "CREATE INDEX cnsis_cnsi_type ON cnsis (cnsi_type)"};
}

Statements consoleConfig(bool isPostgreSql) {
  Statements all = {
      std::string("CREATE TABLE IF NOT EXISTS console_config (uaa_endpoint VARCHAR(255) NOT NULL,"
                  " console_admin_scope VARCHAR(255) NOT NULL,"
                  " console_client VARCHAR(255) NOT NULL,"
                  " console_client_secret VARCHAR(255) NOT NULL,"
                  " skip_ssl_validation BOOLEAN NOT NULL DEFAULT FALSE,"
                  " is_setup_complete BOOLEAN NOT NULL DEFAULT FALSE, last_updated") +
      kTimestampDefault + ")"};
  if (isPostgreSql) {
    all.push_back(
        "CREATE UNIQUE INDEX console_config_one_row ON console_config"
        " ((uaa_endpoint IS NOT NULL))");
  }
  return all;
}

Statements charts() {
  return {
      "CREATE TABLE IF NOT EXISTS charts (id VARCHAR(255) NOT NULL, name VARCHAR(255) NOT NULL,"
      " repo_name VARCHAR(255) NOT NULL, update_batch VARCHAR(64) NOT NULL, content TEXT,"
      " PRIMARY KEY (id))",
      "CREATE INDEX charts_id ON charts (id)",
      "CREATE TABLE IF NOT EXISTS chart_files (id VARCHAR(255) NOT NULL, filename VARCHAR(64)"
      " NOT NULL, chart_id VARCHAR(255) NOT NULL, name VARCHAR(255) NOT NULL, repo_name"
      " VARCHAR(255) NOT NULL, digest VARCHAR(255) NOT NULL, content TEXT,"
      " PRIMARY KEY (id, filename))"};
}

Statements favorites() {
  return {std::string("CREATE TABLE IF NOT EXISTS favorites (guid VARCHAR(255) NOT NULL,"
                      " user_guid VARCHAR(36) NOT NULL, endpoint_type VARCHAR(16) NOT NULL,"
                      " endpoint_id VARCHAR(255) NOT NULL, entity_type VARCHAR(255) NOT NULL,"
                      " entity_id VARCHAR(255), metadata TEXT, last_updated") +
              kTimestampDefault + ", PRIMARY KEY (guid, user_guid))",
          "CREATE INDEX favorites_user_guid ON favorites (user_guid)"};
}

Statements localUsers() {
  return {"ALTER TABLE console_config ADD auth_endpoint_type VARCHAR(255)",
          std::string("CREATE TABLE IF NOT EXISTS local_users (user_guid VARCHAR(36) UNIQUE"
                      " NOT NULL, password_hash BYTEA NOT NULL, user_name VARCHAR(128) UNIQUE"
                      " NOT NULL, user_email VARCHAR(254), user_scope VARCHAR(64),"
                      " last_login TIMESTAMP, last_updated") +
              kTimestampDefault + ", PRIMARY KEY (user_guid))",
          "CREATE INDEX local_users_user_guid ON local_users (user_guid)",
          "CREATE INDEX local_users_user_name ON local_users (user_name)"};
}

Statements primaryKeys(bool isPostgreSql) {
  Statements all = {
      "UPDATE tokens SET cnsi_guid = 'STRATOS' WHERE token_type = 'uaa' AND cnsi_guid IS NULL"};
  if (!isPostgreSql) return all;
  all.push_back(
      "ALTER TABLE tokens ADD CONSTRAINT pk_tokens"
      " PRIMARY KEY (user_guid, cnsi_guid, token_guid)");
  all.push_back(
      "ALTER TABLE console_config ADD CONSTRAINT pk_consoleconfig"
      " PRIMARY KEY (uaa_endpoint, console_admin_scope)");
  all.push_back("ALTER TABLE config ADD CONSTRAINT pk_config PRIMARY KEY (groupName, name)");
  return all;
}

Statements helmCharts() {
  return {
      "CREATE TABLE IF NOT EXISTS helm_charts (endpoint VARCHAR(64) NOT NULL,"
      " name VARCHAR(255) NOT NULL, repo_name VARCHAR(255) NOT NULL, version VARCHAR(64)"
      " NOT NULL, created TIMESTAMP NOT NULL, app_version VARCHAR(64) NOT NULL,"
      " description VARCHAR(255) NOT NULL, icon_url VARCHAR(255) NOT NULL,"
      " chart_url VARCHAR(255) NOT NULL, source_url VARCHAR(255) NOT NULL,"
      " digest VARCHAR(64) NOT NULL, is_latest BOOLEAN NOT NULL DEFAULT FALSE,"
      " update_batch VARCHAR(64) NOT NULL, PRIMARY KEY (endpoint, name, version))",
      "CREATE INDEX helm_charts_endpoint ON helm_charts (endpoint, name, version)",
      "CREATE INDEX helm_charts_repository ON helm_charts (name, repo_name, version)"};
}

Statements statementsOf(std::size_t number, bool isPostgreSql) {
  switch (number) {
    case 1:
      return firstTables();
    case 2:
      return consoleConfig(isPostgreSql);
    case 3:
      return {"ALTER TABLE tokens ADD disconnected BOOLEAN NOT NULL DEFAULT FALSE"};
    case 4:
      return {"ALTER TABLE tokens ADD auth_type VARCHAR(255) DEFAULT 'OAuth2'",
              "ALTER TABLE tokens ADD meta_data TEXT"};
    case 5:
      return isPostgreSql ? Statements{"ALTER TABLE cnsis ALTER COLUMN cnsi_type TYPE VARCHAR(16)",
                                       "ALTER TABLE cnsis ALTER COLUMN cnsi_type SET NOT NULL"}
                          : Statements{};
    case 7:
      return {"ALTER TABLE cnsis ADD client_id VARCHAR(255) NOT NULL DEFAULT 'cf'",
              "ALTER TABLE cnsis ADD client_secret BYTEA"};
    case 8:
      return {
          "DELETE FROM tokens WHERE token_type = 'cnsi' AND cnsi_guid NOT IN"
          " (SELECT guid FROM cnsis)"};
    case 9:
      return {"ALTER TABLE tokens ADD token_guid VARCHAR(36) DEFAULT 'default-token'",
              "ALTER TABLE tokens ADD linked_token VARCHAR(36)",
              "UPDATE tokens SET token_guid = user_guid WHERE token_type = 'uaa'",
              "UPDATE tokens SET token_guid = cnsi_guid WHERE token_guid = 'default-token'"};
    case 10:
      return {"ALTER TABLE cnsis ADD sso_allowed BOOLEAN NOT NULL DEFAULT FALSE"};
    case 11:
      return {"ALTER TABLE console_config ADD use_sso BOOLEAN NOT NULL DEFAULT FALSE"};
    case 12:
      return favorites();
    case 13:
      return {"ALTER TABLE cnsis ADD sub_type VARCHAR(64) DEFAULT NULL",
              "ALTER TABLE cnsis ADD meta_data TEXT DEFAULT NULL"};
    case 14:
      return charts();
    case 15:
      return {"ALTER TABLE console_config ADD auth_endpoint VARCHAR(255)"};
    case 16:
      return localUsers();
    case 17:
      return {std::string("CREATE TABLE IF NOT EXISTS config (groupName VARCHAR(255) NOT NULL,"
                          " name VARCHAR(255) NOT NULL, value VARCHAR(255) NOT NULL,"
                          " last_updated") +
                  kTimestampDefault + ")",
              "INSERT INTO config (groupName, name, value)"
              " VALUES ('system', '__CONFIG_MIGRATION_NEEDED', 'true')"};
    case 18:
      return {"ALTER TABLE local_users ADD given_name VARCHAR(128)",
              "ALTER TABLE local_users ADD family_name VARCHAR(128)",
              "UPDATE local_users SET given_name = 'Admin', family_name = 'User'"};
    case 19:
      return {isPostgreSql ? "DROP TRIGGER IF EXISTS update_trigger ON local_users"
                           : "DROP TRIGGER IF EXISTS update_last_updated"};
    case 20:
      return primaryKeys(isPostgreSql);
    case 21:
      return {
          "CREATE TABLE IF NOT EXISTS session_data (session VARCHAR(255) NOT NULL,"
          " groupName VARCHAR(32) NOT NULL, name VARCHAR(64) NOT NULL, value TEXT NOT NULL,"
          " keep_on_expire BOOLEAN NOT NULL DEFAULT FALSE,"
          " expired BOOLEAN NOT NULL DEFAULT FALSE)"};
    case 22:
      return {"DROP TABLE IF EXISTS charts", "DROP TABLE IF EXISTS chart_files"};
    case 23:
    case 27:
      return {analysisTable(isPostgreSql)};
    case 24:
      return {
          "CREATE TABLE IF NOT EXISTS api_keys (guid VARCHAR(36) NOT NULL UNIQUE,"
          " secret VARCHAR(64) NOT NULL UNIQUE, user_guid VARCHAR(36) NOT NULL,"
          " comment VARCHAR(255) NOT NULL, last_used TIMESTAMP, PRIMARY KEY (guid))"};
    case 25:
      return helmCharts();
    case 26:
      return {"UPDATE cnsis SET sub_type = 'repo' WHERE cnsi_type = 'helm'"};
    case 28:
      return {"DELETE FROM cnsis WHERE cnsi_type = 'helm' AND sub_type = 'hub'"};
    case 29:
      return isPostgreSql ? Statements{}
                          : Statements{"ALTER TABLE analysis RENAME COLUMN user TO user_guid"};
    case 30:
      return caCertificate();
    case 31:
      return {"ALTER TABLE cnsis ADD creator VARCHAR(36) NOT NULL DEFAULT ''"};
    default:
      return {};
  }
}

void createHistory(db::Connection& connection) {
  connection.execute(connection.dialect() == db::Dialect::PostgreSql
                         ? "CREATE TABLE goose_db_version (id serial NOT NULL, version_id bigint"
                           " NOT NULL, is_applied boolean NOT NULL,"
                           " tstamp timestamp NULL DEFAULT now(), PRIMARY KEY (id))"
                         : "CREATE TABLE goose_db_version (id INTEGER PRIMARY KEY AUTOINCREMENT,"
                           " version_id INTEGER NOT NULL, is_applied INTEGER NOT NULL,"
                           " tstamp TIMESTAMP DEFAULT (datetime('now')))");
}

void record(db::Connection& connection, std::int64_t version) {
  connection.execute("INSERT INTO goose_db_version (version_id, is_applied) VALUES ($1, $2)",
                     {version, true});
}

constexpr const char* kFinalSchema =
    "analysis: id varchar(255)!, endpoint varchar(36)!, endpoint_type varchar(36)!,"
    " name varchar(255)!, user_guid varchar(36)!, path varchar(255)!, type varchar(64)!,"
    " format varchar(64)!, created timestamp!, acknowledged boolean!, status varchar(16)!,"
    " duration int!, result varchar(255)! key(id)\n"
    "api_keys: guid varchar(36)!, secret varchar(64)!, user_guid varchar(36)!,"
    " comment varchar(255)!, last_used timestamp key(guid)\n"
    "cnsis: guid varchar(36)!, name varchar(255)!, cnsi_type varchar(16)!,"
    " api_endpoint varchar(255)!, auth_endpoint varchar(255)!, token_endpoint varchar(255)!,"
    " doppler_logging_endpoint varchar(255)!, skip_ssl_validation boolean!,"
    " last_updated timestamp!, client_id varchar(255)!, client_secret bytea,"
    " sso_allowed boolean!, sub_type varchar(64), meta_data text, ca_cert text,"
    " creator varchar(36)! key(guid)\n"
    "config: groupname varchar(255)!, name varchar(255)!, value varchar(255)!,"
    " last_updated timestamp! key(groupname,name)\n"
    "console_config: uaa_endpoint varchar(255)!, console_admin_scope varchar(255)!,"
    " console_client varchar(255)!, console_client_secret varchar(255)!,"
    " skip_ssl_validation boolean!, is_setup_complete boolean!, last_updated timestamp!,"
    " use_sso boolean!, auth_endpoint varchar(255), auth_endpoint_type varchar(255)"
    " key(uaa_endpoint,console_admin_scope)\n"
    "favorites: guid varchar(255)!, user_guid varchar(36)!, endpoint_type varchar(16)!,"
    " endpoint_id varchar(255)!, entity_type varchar(255)!, entity_id varchar(255), metadata text,"
    " last_updated timestamp! key(guid,user_guid)\n"
    "helm_charts: endpoint varchar(64)!, name varchar(255)!, repo_name varchar(255)!,"
    " version varchar(64)!, created timestamp!, app_version varchar(64)!,"
    " description varchar(255)!, icon_url varchar(255)!, chart_url varchar(255)!,"
    " source_url varchar(255)!, digest varchar(64)!, is_latest boolean!,"
    " update_batch varchar(64)! key(endpoint,name,version)\n"
    "local_users: user_guid varchar(36)!, password_hash bytea!, user_name varchar(128)!,"
    " user_email varchar(254), user_scope varchar(64), last_login timestamp,"
    " last_updated timestamp!, given_name varchar(128), family_name varchar(128) key(user_guid)\n"
    "session_data: session varchar(255)!, groupname varchar(32)!, name varchar(64)!, value text!,"
    " keep_on_expire boolean!, expired boolean! key()\n"
    "tokens: user_guid varchar(36)!, cnsi_guid varchar(36)!, token_type varchar(4)!,"
    " auth_token bytea!, refresh_token bytea!, token_expiry bigint!, last_updated timestamp!,"
    " disconnected boolean!, auth_type varchar(255), meta_data text, token_guid varchar(36)!,"
    " linked_token varchar(36), enabled boolean! key(user_guid,cnsi_guid,token_guid)\n";

const std::vector<std::string>& upstreamTables() {
  static const std::vector<std::string> kTables = {
      "analysis",  "api_keys",    "cnsis",       "config",       "console_config",
      "favorites", "helm_charts", "local_users", "session_data", "tokens"};
  return kTables;
}

std::string joined(std::vector<std::string> parts, const char* separator) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : separator) + part;
  return text;
}

std::string sortedColumns(const std::string& description) {
  std::string text;
  for (const std::string& line : split(description, '\n')) {
    if (line.empty()) continue;
    const std::size_t from = line.find(": ") + 2;
    const std::size_t to = line.rfind(" key(");
    std::vector<std::string> columns;
    for (const std::string& column : split(line.substr(from, to - from), ',')) {
      columns.emplace_back(trim(column));
    }
    std::sort(columns.begin(), columns.end());
    text += line.substr(0, from) + joined(columns, ", ") + line.substr(to) + "\n";
  }
  return text;
}

std::string typeName(const db::Row& row) {
  std::string type = toLower(row.text("type"));
  if (type == "character varying") type = "varchar(" + std::to_string(row.integer("length")) + ")";
  if (type == "timestamp without time zone") return "timestamp";
  return type == "integer" ? "int" : type;
}

}  // namespace

struct UpstreamDatabase::Token {
  std::string user;
  db::Value endpoint;
  std::string type = "cnsi";
  std::string guid;
  db::Blob auth;
  db::Blob refresh;
  std::int64_t expiry = kFarExpiry;
  std::string authType = "OAuth2";
  db::Value metadata = std::string();
  std::string linked = {};
  bool disconnected = false;
};

std::int64_t versionOf(std::size_t number) { return kVersions.at(number - 1); }

UpstreamDatabase::UpstreamDatabase(db::Database& database) : database_(database) {}

void UpstreamDatabase::apply(const std::vector<std::size_t>& steps) {
  const bool isPostgreSql = database_.dialect() == db::Dialect::PostgreSql;
  database_.transact([&](db::Connection& connection, db::Transaction&) {
    createHistory(connection);
    record(connection, 0);
    for (const std::size_t number : steps) {
      Statements statements = statementsOf(number, isPostgreSql);
      if (number == kSteps && std::find(steps.begin(), steps.end(), 30) == steps.end()) {
        statements = caCertificate();
      }
      for (const std::string& sql : statements) connection.execute(sql);
      record(connection, versionOf(number));
    }
  });
}

void UpstreamDatabase::applyUpTo(std::size_t level) {
  std::vector<std::size_t> steps;
  for (std::size_t number = 1; number <= level; ++number) steps.push_back(number);
  apply(steps);
}

void UpstreamDatabase::useOtherChartsVersion() {
  database_.connect().execute(
      "UPDATE goose_db_version SET version_id = 20190307115301 WHERE version_id = 20190307115300");
}

void UpstreamDatabase::addUserTrigger() {
  db::Connection connection = database_.connect();
  if (database_.dialect() == db::Dialect::PostgreSql) {
    connection.execute(
        "CREATE FUNCTION update_last_updated() RETURNS trigger LANGUAGE plpgsql AS $body$ BEGIN"
        " UPDATE local_users SET last_updated = now() WHERE user_guid = NEW.user_guid;"
        " RETURN NEW; END $body$");
    connection.execute(
        "CREATE TRIGGER update_trigger AFTER UPDATE ON local_users FOR EACH ROW"
        " EXECUTE FUNCTION update_last_updated()");
    return;
  }
  connection.execute(
      "CREATE TRIGGER update_last_updated AFTER UPDATE ON local_users FOR EACH ROW BEGIN"
      " UPDATE local_users SET last_updated = CURRENT_TIMESTAMP WHERE user_guid = old.user_guid;"
      " END");
}

void UpstreamDatabase::insertRows(const RowOptions& options) {
  database_.transact([&](db::Connection& connection, db::Transaction&) {
    readColumns(connection);
    insertEndpoints(connection);
    insertTokens(connection);
    insertUsers(connection, options);
    insertTheRest(connection);
  });
}

void UpstreamDatabase::readColumns(db::Connection& connection) {
  columns_.clear();
  for (const db::Row& row : connection.query(
           database_.dialect() == db::Dialect::PostgreSql
               ? "SELECT table_name AS tab, column_name AS col FROM information_schema.columns"
                 " WHERE table_schema = current_schema()"
               : "SELECT t.name AS tab, c.name AS col FROM sqlite_master t,"
                 " pragma_table_info(t.name) c WHERE t.type = 'table'")) {
    columns_[row.text("tab")].insert(toLower(row.text("col")));
  }
}

bool UpstreamDatabase::has(const std::string& table, const std::string& column) const {
  const auto found = columns_.find(table);
  return found != columns_.end() && found->second.contains(toLower(column));
}

void UpstreamDatabase::insert(db::Connection& connection, const std::string& table,
                              const Fields& fields) {
  if (!columns_.contains(table)) return;
  std::string names;
  std::string places;
  db::Parameters values;
  for (const auto& [name, value] : fields) {
    if (!has(table, name)) continue;
    values.push_back(value);
    names += (names.empty() ? "" : ", ") + name;
    places += (places.empty() ? "$" : ", $") + std::to_string(values.size());
  }
  connection.execute("INSERT INTO " + table + " (" + names + ") VALUES (" + places + ")", values);
}

db::Blob UpstreamDatabase::encrypted(const std::string& text) {
  std::string iv = fromHex("000102030405060708090a0b0c0d0e0f").value();
  iv[15] = static_cast<char>(++ivCounter_);
  return {crypto::encryptLegacy(fromHex(kKey).value(), text, iv)};
}

void UpstreamDatabase::insertEndpoints(db::Connection& connection) {
  const auto add = [&](const std::string& guid, const std::string& type, db::Value secret,
                       db::Value subType, db::Value text, const std::string& creator = {}) {
    insert(connection, "cnsis",
           {{"guid", guid},
            {"name", "name of " + guid},
            {"cnsi_type", type},
            {"api_endpoint", "https://api." + guid + ".example.com"},
            {"auth_endpoint", "https://login." + guid + ".example.com"},
            {"token_endpoint", "https://uaa." + guid + ".example.com"},
            {"doppler_logging_endpoint", "wss://doppler." + guid + ".example.com:443"},
            {"skip_ssl_validation", true},
            {"client_secret", std::move(secret)},
            {"sub_type", std::move(subType)},
            {"meta_data", text},
            {"ca_cert", text},
            {"creator", creator}});
  };
  add("e-cf", "cf", encrypted("the client secret"), std::string(), std::string());
  add("e-old", "cf", db::Null{}, db::Null{}, db::Null{});
  add("e-none", "cf", encrypted(""), std::string(), std::string("-----BEGIN CERTIFICATE-----"));
  add("e-own", "cf", db::Null{}, std::string(), std::string(), kAdminGuid);
  if (has("cnsis", "sub_type")) add("e-hub", "helm", db::Null{}, std::string("hub"), db::Null{});
}

void UpstreamDatabase::insertTokens(db::Connection& connection) {
  const bool isPostgreSql = database_.dialect() == db::Dialect::PostgreSql;
  // Before step 20 upstream left the endpoint of a console token out.
  const bool hasKeys =
      connection.queryOne("SELECT id FROM goose_db_version WHERE version_id = $1", {versionOf(20)})
          .has_value();
  const db::Value console = hasKeys ? db::Value(std::string("STRATOS")) : db::Value(db::Null{});
  const std::string vector =
      fromHex(
          "000102030405060708090a0b0c0d0e0f317fab10a8f8cc16ec6ac2a702716309581df25c9fc6fb188e1e15e0"
          "2883088eedf7fd98d41c9d96925968")
          .value();
  const std::string emptyVector = fromHex("000102030405060708090a0b0c0d0e0f").value();
  const auto cf = db::Value(std::string("e-cf"));

  std::vector<Token> all = {
      {kAdminGuid, cf, "cnsi", "t-own", encrypted("own.access.token"), encrypted("own.refresh")},
      {kAdminGuid, console, "uaa", "t-console", encrypted("console.access.token"),
       encrypted("console.refresh")},
      // The PostgreSQL driver turned the NULL of an empty refresh token into no bytes.
      {"u-empty", cf, "cnsi", "t-empty", encrypted("empty.access.token"),
       isPostgreSql ? db::Blob{} : encrypted("")},
      {std::string(kSharedUserGuid), std::string("e-none"), "cnsi", "t-shared",
       encrypted("c2hhcmVkOnNoYXJlZA=="), encrypted("shared"),
       has("tokens", "auth_type") ? 0 : kFarExpiry, "HttpBasic"},
      {"u-twice", cf, "cnsi", "t-twice-1", encrypted("older.duplicate.token"),
       encrypted("older.refresh"), 2'000'000'000},
      {"u-twice", cf, "cnsi", "t-twice-2", encrypted("newer.duplicate.token"),
       encrypted("newer.refresh")},
      {"u-short", cf, "cnsi", "t-short", db::Blob{"short"}, encrypted("short.refresh")},
      {"u-garbage", cf, "cnsi", "t-garbage", db::Blob{std::string(60, '\x5A')},
       encrypted("garbage.refresh")},
      {"u-null", cf, "cnsi", "t-null", encrypted("null.access.token"), encrypted("null.refresh"),
       kFarExpiry, "OAuth2", db::Null{}},
      {"u-vector", cf, "cnsi", "t-vector", db::Blob{vector}, db::Blob{emptyVector}},
      {"u-orphan", std::string("e-gone"), "cnsi", "t-orphan", encrypted("orphan.access.token"),
       encrypted("orphan.refresh")},
  };
  if (has("tokens", "linked_token")) {
    all.push_back({kAdminGuid, std::string("e-old"), "cnsi", "t-linked", encrypted("LINKED TOKEN"),
                   encrypted("LINKED TOKEN"), kFarExpiry, "OAuth2", std::string(), "t-console"});
  }
  if (has("tokens", "disconnected")) {
    all.push_back({"u-cleared",
                   cf,
                   "cnsi",
                   "t-cleared",
                   encrypted("cleared_token"),
                   encrypted("cleared_token"),
                   0,
                   "OAuth2",
                   std::string(),
                   {},
                   true});
  }
  for (const Token& token : all) {
    insert(connection, "tokens",
           {{"user_guid", token.user},
            {"cnsi_guid", token.endpoint},
            {"token_type", token.type},
            {"auth_token", token.auth},
            {"refresh_token", token.refresh},
            {"token_expiry", token.expiry},
            {"disconnected", token.disconnected},
            {"auth_type", token.authType},
            {"meta_data", token.metadata},
            {"token_guid", token.guid},
            {"linked_token", token.linked}});
  }
}

void UpstreamDatabase::insertUsers(db::Connection& connection, const RowOptions& options) {
  const auto add = [&](const std::string& guid, const std::string& name, db::Value lastLogin) {
    insert(connection, "local_users",
           {{"user_guid", guid},
            {"password_hash", db::Blob{options.costlyPassword ? kCostlyHash : kCheapHash}},
            {"user_name", name},
            {"user_email", std::string()},
            {"user_scope", std::string("stratos.admin")},
            {"last_login", std::move(lastLogin)},
            {"given_name", std::string("Admin")},
            {"family_name", std::string("User")}});
  };
  add(kAdminGuid, "admin", db::Null{});
  if (database_.dialect() == db::Dialect::PostgreSql) {
    add("u-time-0", "time-0", std::string("2021-03-04 05:06:07"));
    return;
  }
  // The forms of section 1.4; the test knows them by these names.
  int number = 0;
  for (const db::Value& form : std::vector<db::Value>{
           std::string("2021-03-04 05:06:07"), std::string("2021-03-04 07:06:07.000000009+02:00"),
           std::string("2021-03-04T05:06:07Z"), std::string("2021-03-04T05:06:07.000"),
           std::int64_t{1614834367}, std::int64_t{1614834367000}}) {
    add("u-time-" + std::to_string(number), "time-" + std::to_string(number), form);
    ++number;
  }
  add("u-minute", "minute", std::string("2021-03-04 05:06"));
  add("u-day", "day", std::string("2021-03-04"));
  add("u-never", "never", std::string("some day"));
}

void UpstreamDatabase::insertTheRest(db::Connection& connection) {
  const bool isPostgreSql = database_.dialect() == db::Dialect::PostgreSql;
  const std::string metadata = R"({"name":"an app"})";
  const auto favorite = [&](const std::string& guid, db::Value value) {
    insert(connection, "favorites",
           {{"guid", guid},
            {"user_guid", std::string(kAdminGuid)},
            {"endpoint_type", std::string("cf")},
            {"endpoint_id", std::string("e-cf")},
            {"entity_type", std::string("application")},
            {"entity_id", std::string()},
            {"metadata", std::move(value)}});
  };
  // Inserted as bytes and updated as text, which only SQLite can tell.
  favorite("f-bytes", isPostgreSql ? db::Value(metadata) : db::Value(db::Blob{metadata}));
  favorite("f-text", metadata);
  insert(connection, "config",
         {{"groupName", std::string("env")},
          {"name", std::string("CONSOLE_ADMIN_SCOPE")},
          {"value", std::string("stratos.admin")}});
  insert(connection, "session_data",
         {{"session", std::string("1")},
          {"groupName", std::string("group")},
          {"name", std::string("name")},
          {"value", std::string("value")}});
  insert(connection, "api_keys",
         {{"guid", std::string("k-1")},
          {"secret", std::string(64, 's')},
          {"user_guid", std::string(kAdminGuid)},
          {"comment", std::string("pipeline")},
          {"last_used", db::Null{}}});
  insert(connection, "analysis",
         {{"id", std::string("a-1")},
          {"endpoint", std::string("e-cf")},
          {"endpoint_type", std::string("cf")},
          {"name", std::string("report")},
          {"user", std::string(kAdminGuid)},
          {"user_guid", std::string(kAdminGuid)},
          {"path", std::string("p")},
          {"type", std::string("t")},
          {"format", std::string("f")},
          {"status", std::string("completed")},
          {"result", std::string("r")}});
  insert(connection, "helm_charts",
         {{"endpoint", std::string("e-hub")},
          {"name", std::string("chart")},
          {"repo_name", std::string("repo")},
          {"version", std::string("1.0")},
          {"created", std::string("2021-03-04 05:06:07")},
          {"app_version", std::string("1")},
          {"description", std::string("d")},
          {"icon_url", std::string()},
          {"chart_url", std::string()},
          {"source_url", std::string()},
          {"digest", std::string()},
          {"update_batch", std::string("b")}});
  // The session library's table, which no migration makes.
  connection.execute(isPostgreSql
                         ? "CREATE TABLE http_sessions (id BIGSERIAL PRIMARY KEY, key BYTEA,"
                           " data BYTEA, created_on TIMESTAMPTZ DEFAULT CURRENT_TIMESTAMP,"
                           " modified_on TIMESTAMPTZ, expires_on TIMESTAMPTZ)"
                         : "CREATE TABLE sessions (id INTEGER PRIMARY KEY, session_data LONGBLOB,"
                           " created_on TIMESTAMP DEFAULT 0,"
                           " modified_on TIMESTAMP DEFAULT CURRENT_TIMESTAMP,"
                           " expires_on TIMESTAMP DEFAULT 0)");
}

std::string describeSchema(db::Database& database, bool sorted) {
  const bool isPostgreSql = database.dialect() == db::Dialect::PostgreSql;
  db::Connection connection = database.connect();
  std::string text;
  for (const std::string& table : upstreamTables()) {
    std::vector<std::string> columns;
    std::map<std::int64_t, std::string> key;
    for (const db::Row& row : connection.query(
             isPostgreSql
                 ? "SELECT c.column_name AS name, c.data_type AS type,"
                   " coalesce(c.character_maximum_length, 0) AS length,"
                   " c.is_nullable = 'NO' AS required, coalesce(k.ordinal_position, 0) AS place"
                   " FROM information_schema.columns c LEFT JOIN "
                   "information_schema.table_constraints"
                   " t ON t.table_schema = c.table_schema AND t.table_name = c.table_name"
                   " AND t.constraint_type = 'PRIMARY KEY'"
                   " LEFT JOIN information_schema.key_column_usage k"
                   " ON k.constraint_name = t.constraint_name AND k.table_schema = t.table_schema"
                   " AND k.table_name = c.table_name AND k.column_name = c.column_name"
                   " WHERE c.table_schema = current_schema() AND c.table_name = $1"
                   " ORDER BY c.ordinal_position"
                 : "SELECT name, type, 0 AS length, \"notnull\" AS required, pk AS place"
                   " FROM pragma_table_info($1)",
             {table})) {
      const std::string name = toLower(row.text("name"));
      columns.push_back(name + " " + typeName(row) + (row.boolean("required") ? "!" : ""));
      if (row.integer("place") > 0) key[row.integer("place")] = name;
    }
    std::vector<std::string> keyColumns;
    for (const auto& [place, name] : key) keyColumns.push_back(name);
    text += table + ": " + joined(columns, ", ") + " key(" + joined(keyColumns, ",") + ")\n";
  }
  return sorted ? sortedColumns(text) : text;
}

std::string expectedSchema(db::Dialect dialect, bool sorted) {
  std::string text = kFinalSchema;
  const auto replace = [&text](const std::string& from, const std::string& to) {
    text.replace(text.find(from), from.size(), to);
  };
  if (dialect == db::Dialect::Sqlite) {
    replace("cnsi_type varchar(16)!", "cnsi_type varchar(3)!");
    replace("cnsi_guid varchar(36)!", "cnsi_guid varchar(36)");
    replace("token_guid varchar(36)!", "token_guid varchar(36)");
    replace("key(user_guid,cnsi_guid,token_guid)", "key()");
    replace("key(uaa_endpoint,console_admin_scope)", "key()");
    replace("key(groupname,name)", "key()");
  }
  return sorted ? sortedColumns(text) : text;
}

std::vector<std::string> foreignTables(db::Database& database) {
  const bool isPostgreSql = database.dialect() == db::Dialect::PostgreSql;
  std::vector<std::string> found;
  for (const db::Row& row : database.connect().query(
           isPostgreSql ? "SELECT tablename AS name FROM pg_catalog.pg_tables"
                          " WHERE schemaname = current_schema()"
                        : "SELECT name FROM sqlite_master WHERE type = 'table'")) {
    const std::string name = row.text("name");
    const std::vector<std::string>& known = upstreamTables();
    if (name.starts_with("stratos_") || name.starts_with("sqlite_")) continue;
    if (name == "goose_db_version" || name == "sessions" || name == "http_sessions") continue;
    if (std::find(known.begin(), known.end(), name) == known.end()) found.push_back(name);
  }
  return found;
}

std::vector<std::string> missingIndexes(db::Database& database) {
  const bool isPostgreSql = database.dialect() == db::Dialect::PostgreSql;
  std::set<std::string> there;
  for (const db::Row& row : database.connect().query(
           isPostgreSql ? "SELECT indexname AS name FROM pg_catalog.pg_indexes WHERE schemaname ="
                          " current_schema()"
                        : "SELECT name FROM sqlite_master WHERE type = 'index'")) {
    there.insert(row.text("name"));
  }
  std::vector<std::string> wanted = {"cnsis_cnsi_type",        "cnsis_name",
                                     "favorites_user_guid",    "helm_charts_endpoint",
                                     "helm_charts_repository", "local_users_user_guid",
                                     "local_users_user_name",  "tokens_cnsi_guid",
                                     "tokens_token_type",      "tokens_user_guid"};
  if (isPostgreSql) wanted.push_back("console_config_one_row");
  std::erase_if(wanted, [&](const std::string& name) { return there.contains(name); });
  return wanted;
}

std::vector<std::int64_t> history(db::Database& database) {
  std::vector<std::int64_t> all;
  for (const db::Row& row : database.connect().query(
           "SELECT version_id FROM goose_db_version WHERE is_applied = $1 ORDER BY id", {true})) {
    all.push_back(row.integer("version_id"));
  }
  return all;
}

std::vector<std::int64_t> completeHistory() {
  std::vector<std::int64_t> all = {0};
  all.insert(all.end(), kVersions.begin(), kVersions.end());
  return all;
}

}  // namespace stratos::takeover
