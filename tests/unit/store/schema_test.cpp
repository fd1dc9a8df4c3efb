#include "stratos/store/schema.hpp"

#include <algorithm>

#include "store_fixture.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"
#include "stratos/store/settings_store.hpp"
#include "stratos/store/token_store.hpp"

namespace stratos::store {
namespace {

// The final schema, section 1.8 of the database document; "!" marks NOT NULL.
constexpr const char* kFinalSchema =
    "analysis: id varchar(255)!, endpoint varchar(36)!, endpoint_type varchar(36)!,"
    " name varchar(255)!, user_guid varchar(36)!, path varchar(255)!, type varchar(64)!,"
    " format varchar(64)!, created timestamp!, acknowledged boolean!, status varchar(16)!,"
    " duration int!, result varchar(255)!\n"
    "api_keys: guid varchar(36)!, secret varchar(64)!, user_guid varchar(36)!,"
    " comment varchar(255)!, last_used timestamp\n"
    "cnsis: guid varchar(36)!, name varchar(255)!, cnsi_type varchar(16)!,"
    " api_endpoint varchar(255)!, auth_endpoint varchar(255)!, token_endpoint varchar(255)!,"
    " doppler_logging_endpoint varchar(255)!, skip_ssl_validation boolean!,"
    " last_updated timestamp!, client_id varchar(255)!, client_secret bytea,"
    " sso_allowed boolean!, sub_type varchar(64), meta_data text, ca_cert text,"
    " creator varchar(36)!\n"
    "config: groupname varchar(255)!, name varchar(255)!, value varchar(255)!,"
    " last_updated timestamp!\n"
    "console_config: uaa_endpoint varchar(255)!, console_admin_scope varchar(255)!,"
    " console_client varchar(255)!, console_client_secret varchar(255)!,"
    " skip_ssl_validation boolean!, is_setup_complete boolean!, last_updated timestamp!,"
    " use_sso boolean!, auth_endpoint varchar(255), auth_endpoint_type varchar(255)\n"
    "favorites: guid varchar(255)!, user_guid varchar(36)!, endpoint_type varchar(16)!,"
    " endpoint_id varchar(255)!, entity_type varchar(255)!, entity_id varchar(255), metadata text,"
    " last_updated timestamp!\n"
    "helm_charts: endpoint varchar(64)!, name varchar(255)!, repo_name varchar(255)!,"
    " version varchar(64)!, created timestamp!, app_version varchar(64)!,"
    " description varchar(255)!, icon_url varchar(255)!, chart_url varchar(255)!,"
    " source_url varchar(255)!, digest varchar(64)!, is_latest boolean!,"
    " update_batch varchar(64)!\n"
    "local_users: user_guid varchar(36)!, password_hash bytea!, user_name varchar(128)!,"
    " user_email varchar(254), user_scope varchar(64), last_login timestamp,"
    " last_updated timestamp!, given_name varchar(128), family_name varchar(128)\n"
    "session_data: session varchar(255)!, groupname varchar(32)!, name varchar(64)!, value text!,"
    " keep_on_expire boolean!, expired boolean!\n"
    "tokens: user_guid varchar(36)!, cnsi_guid varchar(36)!, token_type varchar(4)!,"
    " auth_token bytea!, refresh_token bytea!, token_expiry bigint!, last_updated timestamp!,"
    " disconnected boolean!, auth_type varchar(255), meta_data text, token_guid varchar(36)!,"
    " linked_token varchar(36), enabled boolean!\n";

class SchemaTest : public StoreFixture {
 protected:
  // Upstream's tables in the notation above.
  std::string describe() {
    db::Connection c = database_->connect();
    std::string text;
    for (const std::string table :
         {"analysis", "api_keys", "cnsis", "config", "console_config", "favorites", "helm_charts",
          "local_users", "session_data", "tokens"}) {
      text += table + ":";
      const bool isPostgreSql = GetParam() == db::Dialect::PostgreSql;
      const db::Rows rows =
          isPostgreSql ? c.query(
                             "SELECT column_name AS name, data_type AS type,"
                             " coalesce(character_maximum_length, 0) AS length,"
                             " is_nullable = 'NO' AS required FROM information_schema.columns"
                             " WHERE table_schema = current_schema() AND table_name = $1"
                             " ORDER BY ordinal_position",
                             {table})
                       : c.query(
                             "SELECT name, type, 0 AS length, \"notnull\" AS required"
                             " FROM pragma_table_info($1)",
                             {table});
      std::string separator = " ";
      for (const db::Row& row : rows) {
        std::string type = toLower(row.text("type"));
        if (type == "character varying") {
          type = "varchar(" + std::to_string(row.integer("length")) + ")";
        }
        if (type == "timestamp without time zone") type = "timestamp";
        if (type == "integer") type = "int";
        text += separator + toLower(row.text("name")) + " " + type +
                (row.boolean("required") ? "!" : "");
        separator = ", ";
      }
      text += "\n";
    }
    return text;
  }

  static std::string expected() {
    std::string text = kFinalSchema;
    if (GetParam() == db::Dialect::PostgreSql) return text;
    const auto replace = [&text](const std::string& from, const std::string& to) {
      text.replace(text.find(from), from.size(), to);
    };
    replace("cnsi_type varchar(16)!", "cnsi_type varchar(3)!");
    replace("cnsi_guid varchar(36)!", "cnsi_guid varchar(36)");
    replace("token_guid varchar(36)!", "token_guid varchar(36)");
    return text;
  }

  std::vector<std::int64_t> versions() {
    std::vector<std::int64_t> all;
    for (const db::Row& row :
         database_->connect().query("SELECT version_id FROM goose_db_version ORDER BY id")) {
      all.push_back(row.integer("version_id"));
    }
    return all;
  }

  // The database as upstream's release with the first `steps` migrations left it.
  void migrateAsUpstream(std::size_t steps) {
    std::vector<db::Migration> all = upstreamMigrations();
    all.resize(steps);
    (void)db::Migrator(*database_, "goose_db_version", std::move(all), log_).migrate();
  }

  std::string format() { return SettingsStore(*database_).find("ciphertext_format").value(); }

  void saveToken(const std::vector<std::string>& hexKeys, crypto::CipherFormat cipherFormat) {
    const crypto::TokenCipher cipher(keys(hexKeys), cipherFormat, random_);
    SqlTokenStore tokens(*database_, cipher, random_);
    TokenRecord record;
    record.owner = UserId("u1");
    record.endpoint = EndpointId("e1");
    record.authToken = Secret("an.access.token-of-some-length");
    (void)tokens.saveEndpointToken(record);
  }
};

TEST_P(SchemaTest, EmptyDatabaseGetsUpstreamsSchema) {
  const SchemaReport report = migrateSchema(*database_, log_);
  EXPECT_TRUE(report.wasEmpty);
  EXPECT_EQ(report.upstreamApplied, 32);
  EXPECT_EQ(report.ownApplied, 3);
  EXPECT_EQ(describe(), expected());
  EXPECT_EQ(format(), "gcm");
  EXPECT_EQ(reportedSchemaVersion(*database_), kUpstreamSchemaVersion);
  EXPECT_EQ(count("config WHERE groupName = 'system' AND name = '__CONFIG_MIGRATION_NEEDED'"), 1);

  std::vector<std::int64_t> wanted = {0};
  for (const db::Migration& migration : upstreamMigrations()) wanted.push_back(migration.version);
  EXPECT_EQ(wanted.size(), 33u);
  EXPECT_EQ(versions(), wanted);
  EXPECT_EQ(count("goose_db_version WHERE id = 33"), 1);

  const SchemaReport again = migrateSchema(*database_, log_);
  EXPECT_FALSE(again.wasEmpty);
  EXPECT_EQ(again.upstreamApplied + again.ownApplied, 0);
  EXPECT_EQ(versions(), wanted);
}

TEST_P(SchemaTest, EveryUpstreamLevelIsTakenOver) {
  const std::size_t levels = upstreamMigrations().size();
  for (std::size_t level = 0; level <= levels; level += GetParam() == db::Dialect::Sqlite ? 1 : 4) {
    test_ = nullptr;
    database_ = nullptr;
    test_ = std::make_unique<testing::TestDatabase>(GetParam());
    database_ = test_->open();
    migrateAsUpstream(level);
    const SchemaReport report = migrateSchema(*database_, log_);
    EXPECT_FALSE(report.wasEmpty);
    EXPECT_EQ(report.upstreamApplied, static_cast<int>(levels - level));
    EXPECT_EQ(describe(), expected()) << "from level " << level;
    EXPECT_EQ(format(), "legacy");
    EXPECT_EQ(versions().size(), 33u);
  }
}

TEST_P(SchemaTest, MissingPartsAreAddedWithoutALateHistoryRow) {
  migrateAsUpstream(32);
  run("ALTER TABLE cnsis DROP COLUMN ca_cert");
  run("ALTER TABLE tokens DROP COLUMN enabled");
  run("DROP TABLE helm_charts");
  run("DROP TABLE analysis");
  run("DELETE FROM goose_db_version WHERE version_id IN (20201201163100, 20200819184800,"
      " 20200210105400, 20201005105400)");
  const auto before = versions();
  EXPECT_EQ(migrateSchema(*database_, log_).upstreamApplied, 0);
  EXPECT_EQ(versions(), before);
  EXPECT_EQ(versions().back(), kUpstreamSchemaVersion);
  db::Connection connection = database_->connect();
  EXPECT_TRUE(db::hasColumn(connection, "cnsis", "ca_cert"));
  EXPECT_TRUE(db::hasColumn(connection, "tokens", "enabled"));
  EXPECT_TRUE(db::hasColumn(connection, "analysis", "user_guid"));
  EXPECT_TRUE(db::hasTable(connection, "helm_charts"));
}

TEST_P(SchemaTest, ReleasesWithOtherHistoryRowsAreTakenOver) {
  // 4.2 to 4.4.2 wrote 20190307115301; 4.4.1 had the creator without the CA certificate.
  migrateAsUpstream(29);
  run("UPDATE goose_db_version SET version_id = 20190307115301 WHERE version_id = 20190307115300");
  run("ALTER TABLE cnsis ADD COLUMN creator VARCHAR(36) NOT NULL DEFAULT ''");
  run("INSERT INTO goose_db_version (version_id, is_applied) VALUES ($1, $2)",
      {std::int64_t{20210201110000}, true});
  EXPECT_EQ(migrateSchema(*database_, log_).upstreamApplied, 1);
  EXPECT_EQ(versions().back(), kUpstreamSchemaVersion);
  db::Connection connection = database_->connect();
  EXPECT_TRUE(db::hasColumn(connection, "cnsis", "ca_cert"));
}

TEST_P(SchemaTest, DataOfOldReleasesIsCarriedAlong) {
  migrateAsUpstream(7);
  run("INSERT INTO cnsis (guid, name, cnsi_type, api_endpoint, auth_endpoint, token_endpoint,"
      " doppler_logging_endpoint) VALUES ('e1', 'n', 'cf', 'a', 'b', 'c', 'd')");
  for (const std::string endpoint : {"e1", "gone"}) {
    run("INSERT INTO tokens (user_guid, cnsi_guid, token_type, auth_token, refresh_token,"
        " token_expiry) VALUES ('u1', $1, 'cnsi', $2, $2, 1)",
        {endpoint, db::Blob{"x"}});
  }
  run("INSERT INTO tokens (user_guid, cnsi_guid, token_type, auth_token, refresh_token,"
      " token_expiry) VALUES ('u1', NULL, 'uaa', $1, $1, 1)",
      {db::Blob{"x"}});
  (void)migrateSchema(*database_, log_);
  EXPECT_EQ(count("tokens"), 2);
  EXPECT_EQ(count("tokens WHERE token_type = 'cnsi' AND token_guid = 'e1'"), 1);
  EXPECT_EQ(count("tokens WHERE token_type = 'uaa' AND token_guid = 'u1'"
                  " AND cnsi_guid = 'STRATOS'"),
            1);
}

TEST_P(SchemaTest, TriggerOfEarlyReleasesIsDropped) {
  migrateAsUpstream(17);
  run("INSERT INTO local_users (user_guid, password_hash, user_name) VALUES ('g', $1, 'admin')",
      {db::Blob{"h"}});
  if (GetParam() == db::Dialect::PostgreSql) {
    run("CREATE FUNCTION update_last_updated() RETURNS trigger LANGUAGE plpgsql AS $body$ BEGIN"
        " UPDATE local_users SET last_updated = now() WHERE user_guid = NEW.user_guid;"
        " RETURN NEW; END $body$");
    run("CREATE TRIGGER update_trigger AFTER UPDATE ON local_users FOR EACH ROW"
        " EXECUTE FUNCTION update_last_updated()");
  } else {
    run("CREATE TRIGGER update_last_updated AFTER UPDATE ON local_users FOR EACH ROW BEGIN"
        " UPDATE local_users SET last_updated = CURRENT_TIMESTAMP WHERE user_guid = old.user_guid;"
        " END");
  }
  (void)migrateSchema(*database_, log_);
  EXPECT_EQ(count("local_users WHERE given_name = 'Admin' AND family_name = 'User'"), 1);
  if (GetParam() == db::Dialect::PostgreSql) {
    EXPECT_EQ(count("pg_proc WHERE proname = 'update_last_updated'"), 0);
    EXPECT_EQ(count("pg_trigger WHERE tgname = 'update_trigger'"), 0);
  } else {
    EXPECT_EQ(count("sqlite_master WHERE type = 'trigger'"), 0);
  }
}

TEST_P(SchemaTest, VersionOfAnEmptyDatabaseIsUnavailable) {
  try {
    (void)reportedSchemaVersion(*database_);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::Unavailable);
  }
}

TEST_P(SchemaTest, FormatFollowsTheOriginOfTheDatabase) {
  (void)migrateSchema(*database_, log_);
  EXPECT_EQ(openCipher(*database_, keys({kTestKey}), random_).writeFormat(),
            crypto::CipherFormat::Gcm);
  SettingsStore(*database_).set("ciphertext_format", "legacy");
  EXPECT_EQ(openCipher(*database_, keys({kTestKey}), random_).writeFormat(),
            crypto::CipherFormat::Legacy);
}

TEST_P(SchemaTest, WrongKeyIsDetectedByTheCheckValue) {
  (void)migrateSchema(*database_, log_);
  (void)openCipher(*database_, keys({kTestKey}), random_);
  EXPECT_NO_THROW((void)openCipher(*database_, keys({kTestKey}), random_));
  EXPECT_NO_THROW((void)openCipher(*database_, keys({kOtherKey, kTestKey}), random_));
  try {
    (void)openCipher(*database_, keys({kOtherKey}), random_);
    FAIL() << "the wrong key was accepted";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::InvalidArgument);
    EXPECT_NE(std::string(e.what()).find("ENCRYPTION_KEY_PREVIOUS"), std::string::npos);
  }
}

TEST_P(SchemaTest, WrongKeyIsDetectedByTheTokensOfATakenOverDatabase) {
  migrateAsUpstream(32);
  (void)migrateSchema(*database_, log_);
  saveToken({kTestKey}, crypto::CipherFormat::Legacy);
  EXPECT_THROW((void)openCipher(*database_, keys({kOtherKey}), random_), Error);
  EXPECT_FALSE(SettingsStore(*database_).find("encryption_key_check"));
  EXPECT_EQ(openCipher(*database_, keys({kTestKey}), random_).writeFormat(),
            crypto::CipherFormat::Legacy);
  EXPECT_TRUE(SettingsStore(*database_).find("encryption_key_check"));
}

TEST_P(SchemaTest, CipherNeedsAMigratedDatabase) {
  EXPECT_THROW((void)openCipher(*database_, keys({kTestKey}), random_), Error);
}

INSTANTIATE_TEST_SUITE_P(Dialects, SchemaTest, bothDialects(), dialectName);

}  // namespace
}  // namespace stratos::store
