#include "storage.hpp"

#include <gtest/gtest.h>

#include "stratos/base/error.hpp"
#include "stratos/crypto/random.hpp"
#include "stratos/store/schema.hpp"
#include "temporary_folder.hpp"

namespace stratos::server {
namespace {

class StorageTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::unique_ptr<db::Database> open(bool deleteFirst = false) {
    DatabaseConfig config;
    config.sqlite.file = (folder_.path() / "console-database.db").string();
    if (deleteFirst) config.deleteReason = "the test wants it";
    auto database = openDatabase(config, log_, {});
    static_cast<void>(store::migrateSchema(*database, log_));
    return database;
  }

  TemporaryFolder folder_;
  NullLogSink log_;
  crypto::SystemRandom random_;
  crypto::TokenCipher cipher_{
      {crypto::EncryptionKey::fromHex(std::string(64, 'a'))}, crypto::CipherFormat::Gcm, random_};
};

TEST_F(StorageTest, KeepsTheGeneratedSessionSecretEncrypted) {
  std::string first;
  {
    const auto database = open();
    store::SettingsStore settings(*database);
    first = obtainSessionSecret(Secret(), settings, cipher_, random_, log_).reveal();
    EXPECT_GE(first.size(), 32U);
    EXPECT_EQ(settings.find("session_store_secret")->find(first), std::string::npos);
  }
  const auto database = open();
  store::SettingsStore settings(*database);
  const Secret placeholder("wheeee!");
  EXPECT_EQ(obtainSessionSecret(placeholder, settings, cipher_, random_, log_).reveal(), first);
  EXPECT_EQ(obtainSessionSecret(Secret("mine"), settings, cipher_, random_, log_).reveal(), "mine");
}

TEST_F(StorageTest, DeletesTheDatabaseOnlyWhenToldTo) {
  {
    const auto database = open();
    store::SettingsStore(*database).set("kept", "yes");
  }
  {
    const auto database = open();
    EXPECT_EQ(store::SettingsStore(*database).find("kept"), "yes");
  }
  const auto database = open(true);
  EXPECT_EQ(store::SettingsStore(*database).find("kept"), std::nullopt);
}

TEST_F(StorageTest, GivesUpWaitingForPostgreSql) {
  DatabaseConfig config;
  config.dialect = db::Dialect::PostgreSql;
  config.postgreSql.host = folder_.path().string();  // A socket folder without a server.
  config.postgreSql.user = "u";
  config.postgreSql.database = "d";
  const DatabaseWait brief{std::chrono::milliseconds{50}, std::chrono::milliseconds{5}};
  try {
    static_cast<void>(openDatabase(config, log_, {}, brief));
    FAIL() << "there is no server";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::Unavailable);
  }
  std::stop_source stopped;
  stopped.request_stop();
  try {
    static_cast<void>(openDatabase(config, log_, stopped.get_token()));
    FAIL() << "it was asked to stop";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::Cancelled);
  }
}

}  // namespace
}  // namespace stratos::server
