#include "stratos/store/console_config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../compat/console_fixture.hpp"
#include "stratos/store/schema.hpp"
#include "stratos/store/settings_store.hpp"
#include "upstream_database.hpp"

namespace stratos::store {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

class ConsoleConfigTest : public ::testing::TestWithParam<db::Dialect> {
 protected:
  void SetUp() override {
    if (!testing::TestDatabase::isAvailable(GetParam())) {
      GTEST_SKIP() << testing::TestDatabase::skipReason();
    }
    place_ = std::make_unique<testing::TestDatabase>(GetParam());
    database_ = place_->open();
    takeover::UpstreamDatabase(*database_).applyUpTo(16);
  }
  void insert(const std::string& uaa) {
    database_->connect().execute(
        "INSERT INTO console_config (uaa_endpoint, console_admin_scope, console_client,"
        " console_client_secret, skip_ssl_validation, is_setup_complete, use_sso)"
        " VALUES ($1, 'stratos.admin', 'console', '', $2, $2, $2)",
        {uaa, true});
  }
  ConsoleConfigMoveReport move(const SettingLookup& lookup = nothing) {
    NullLogSink log;
    (void)migrateSchema(*database_, log);
    return moveConsoleConfig(*database_, lookup);
  }
  static std::optional<std::string> nothing(std::string_view) { return std::nullopt; }
  auto env() { return SettingsStore(*database_).configGroup("env"); }
  auto marker() { return SettingsStore(*database_).configGroup("system"); }

  std::unique_ptr<testing::TestDatabase> place_;
  std::unique_ptr<db::Database> database_;
};

TEST_P(ConsoleConfigTest, MovesTheRowOnce) {
  insert("https://uaa.example.com");
  EXPECT_EQ(move().outcome, ConsoleConfigMove::Moved);
  EXPECT_THAT(env(), UnorderedElementsAre(
                         Pair("UAA_ENDPOINT", "https://uaa.example.com"),
                         Pair("CONSOLE_ADMIN_SCOPE", "stratos.admin"),
                         Pair("CONSOLE_CLIENT", "console"), Pair("AUTH_ENDPOINT_TYPE", "remote"),
                         Pair("SKIP_SSL_VALIDATION", "true"), Pair("SSO_LOGIN", "true")));
  EXPECT_THAT(marker(), IsEmpty());
  EXPECT_TRUE(database_->connect().query("SELECT 1 FROM console_config").empty());
  EXPECT_EQ(move().outcome, ConsoleConfigMove::NotNeeded);
}

TEST_P(ConsoleConfigTest, KeepsWhatIsSetElsewhereAnyway) {
  insert("https://uaa.example.com");
  const auto report = move([](std::string_view name) -> std::optional<std::string> {
    if (name == "UAA_ENDPOINT") return "https://uaa.example.com";
    if (name == "CONSOLE_CLIENT_SECRET") return "set in the environment";
    if (name == "SKIP_SSL_VALIDATION") return "true";
    return std::nullopt;
  });
  EXPECT_THAT(report.written,
              ElementsAre("CONSOLE_ADMIN_SCOPE", "CONSOLE_CLIENT", "CONSOLE_CLIENT_SECRET",
                          "AUTH_ENDPOINT_TYPE", "SSO_LOGIN"));
  EXPECT_EQ(env().at("CONSOLE_CLIENT_SECRET"), "");
}

TEST_P(ConsoleConfigTest, AnEmptyTableOnlyEndsTheSearch) {
  EXPECT_EQ(move().outcome, ConsoleConfigMove::Nothing);
  EXPECT_THAT(env(), IsEmpty());
  EXPECT_THAT(marker(), IsEmpty());
}

TEST_P(ConsoleConfigTest, SeveralRowsChangeNothing) {
  if (GetParam() == db::Dialect::PostgreSql) GTEST_SKIP() << "PostgreSQL allows one row only";
  insert("https://one.example.com");
  insert("https://two.example.com");
  EXPECT_EQ(move().outcome, ConsoleConfigMove::Ambiguous);
  EXPECT_THAT(env(), IsEmpty());
  EXPECT_EQ(marker().size(), 1u);
}

INSTANTIATE_TEST_SUITE_P(Dialects, ConsoleConfigTest,
                         ::testing::Values(db::Dialect::Sqlite, db::Dialect::PostgreSql),
                         compat::dialectName);

}  // namespace
}  // namespace stratos::store
