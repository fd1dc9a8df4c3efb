#include "stratos/store/schema.hpp"

#include <algorithm>

#include "store_fixture.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"
#include "stratos/store/settings_store.hpp"
#include "stratos/store/token_store.hpp"

namespace stratos::store {
namespace {

class SchemaTest : public StoreFixture {
 protected:
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
  EXPECT_EQ(report.ownApplied, static_cast<int>(ownMigrations().size()));
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
