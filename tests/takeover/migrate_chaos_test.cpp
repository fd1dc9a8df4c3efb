#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <memory>
#include <random>
#include <thread>

#include "../server/server_process.hpp"
#include "stratos/crypto/random.hpp"
#include "stratos/db/migrator.hpp"
#include "stratos/store/schema.hpp"
#include "stratos/store/token_store.hpp"
#include "stratos/testing/test_database.hpp"
#include "upstream_database.hpp"

namespace stratos::takeover {
namespace {

using server_test::ServerProcess;
using server_test::Settings;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int kProcesses = 8;
constexpr int kKills = 15;
constexpr int kMaxRuns = 60;
constexpr unsigned kSeed = 20240818;

/// The real program's `migrate`, started often, at once, and killed.
class MigrateProgramTest : public ::testing::TestWithParam<db::Dialect> {
 protected:
  void SetUp() override {
    if (!testing::TestDatabase::isAvailable(GetParam())) {
      GTEST_SKIP() << testing::TestDatabase::skipReason();
    }
    renew();
  }
  void renew() { place_ = std::make_unique<testing::TestDatabase>(GetParam()); }

  [[nodiscard]] std::unique_ptr<ServerProcess> start(std::vector<std::string> options = {}) const {
    options.insert(options.begin(), "migrate");
    return std::make_unique<ServerProcess>(settings(), options, "/");
  }
  struct Run {
    int status;
    std::string output;
  };
  [[nodiscard]] Run run(std::vector<std::string> options = {}) const {
    const auto process = start(std::move(options));
    const int status = process->waitForExit();
    return {status, process->output()};
  }

  [[nodiscard]] Settings settings() const {
    if (GetParam() == db::Dialect::Sqlite) {
      return {{"DATABASE_PROVIDER", "sqlite"}, {"SQLITE_DB_DIR", place_->directory()}};
    }
    const db::PostgreSqlOptions& options = place_->postgreSqlOptions();
    return {{"DATABASE_PROVIDER", "pgsql"},
            {"DB_HOST", options.host},
            {"DB_PORT", std::to_string(options.port)},
            {"DB_USER", options.user},
            {"DB_PASSWORD", options.password.reveal()},
            {"DB_DATABASE_NAME", options.database},
            {"DB_SSL_MODE", options.sslMode}};
  }

  /// The database of an old release with rows of every kind.
  void makeOld(std::size_t level) {
    renew();
    const auto database = place_->open();
    UpstreamDatabase upstream(*database);
    upstream.applyUpTo(level);
    upstream.insertRows();
  }

  void expectWhole() {
    const auto database = place_->open();
    EXPECT_EQ(history(*database), completeHistory());
    EXPECT_EQ(describeSchema(*database), expectedSchema(GetParam()));
    const store::SchemaStatus status = store::readSchemaStatus(*database);
    EXPECT_TRUE(status.upstreamPending.empty() && status.ownPending.empty());
    EXPECT_EQ(status.ownHistory.size(), store::ownMigrations().size() + 1);
  }

  void expectRowsWhole() {
    const auto database = place_->open();
    crypto::SystemRandom random;
    const crypto::TokenCipher cipher =
        store::openCipher(*database, {crypto::EncryptionKey::fromHex(kKey)}, random);
    store::SqlTokenStore tokens(*database, cipher, random);
    for (const auto& [user, text] :
         {std::pair(kAdminGuid, "own.access.token"), std::pair("u-empty", "empty.access.token"),
          std::pair("u-twice", "newer.duplicate.token")}) {
      const auto token = tokens.findForEndpoint(UserId(user), EndpointId("e-cf"));
      ASSERT_TRUE(token) << user;
      EXPECT_EQ(token->authToken.reveal(), text);
    }
    EXPECT_EQ(tokens.findConsoleToken(UserId(kAdminGuid))->authToken.reveal(),
              "console.access.token");
  }

  std::unique_ptr<testing::TestDatabase> place_;
};

TEST_P(MigrateProgramTest, EightAtOnceOnAnEmptyDatabase) {
  std::vector<std::unique_ptr<ServerProcess>> processes;
  for (int i = 0; i < kProcesses; ++i) processes.push_back(start());
  for (const auto& process : processes) {
    EXPECT_EQ(process->waitForExit(), 0) << process->output();
  }
  expectWhole();
}

TEST_P(MigrateProgramTest, KilledAtAnyMomentTheNextRunGoesOn) {
  std::mt19937 random(kSeed);
  int kills = 0;
  bool isFinished = true;
  for (int runs = 0; kills < kKills && runs < kMaxRuns; ++runs) {
    if (isFinished) makeOld(2 + random() % 8);
    const auto process = start();
    // Kills spread over the whole run, whatever its speed: after one of its next steps and a bit.
    const auto first = process->waitForLine("Database migration applied");
    const auto later = std::chrono::microseconds{random() % 30'000};
    if (!first.empty()) std::this_thread::sleep_for(later);
    process->signal(SIGKILL);
    const int status = process->waitForExit();
    isFinished = status == 0;
    if (isFinished) {
      expectWhole();
      expectRowsWhole();
    } else {
      ASSERT_EQ(status, 128 + SIGKILL) << process->output();
      ++kills;
    }
  }
  EXPECT_EQ(kills, kKills);
  const Run last = run();
  EXPECT_EQ(last.status, 0) << last.output;
  expectWhole();
  expectRowsWhole();
}

TEST_P(MigrateProgramTest, LooksWithoutChangingAnything) {
  // A database that does not exist, or is empty, stays so.
  const Run empty = run({"--dry-run"});
  EXPECT_EQ(empty.status, 0) << empty.output;
  EXPECT_THAT(empty.output, HasSubstr("version: 0\nto apply:\n  own 1 "));
  EXPECT_THAT(empty.output, HasSubstr("  20240818042100  "));

  makeOld(31);
  const Run dry = run({"--dry-run"});
  EXPECT_EQ(dry.status, 0) << dry.output;
  EXPECT_THAT(dry.output, HasSubstr("version: 20210201110000\nto apply:\n"));
  EXPECT_THAT(dry.output, HasSubstr("\n  20240818042100  "));
  EXPECT_THAT(dry.output, Not(HasSubstr("\n  20201201163100  ")));
  const Run status = run({"--status"});
  EXPECT_EQ(status.status, 0) << status.output;
  EXPECT_THAT(status.output, HasSubstr("newest first:\n  32  20210201110000  "));
  EXPECT_THAT(status.output, HasSubstr("own history (stratos_schema_history): none\n"));
  {
    const auto database = place_->open();
    db::Connection connection = database->connect();
    EXPECT_FALSE(db::hasTable(connection, "stratos_schema_history"));
  }
  const Run applied = run();
  EXPECT_EQ(applied.status, 0) << applied.output;
  EXPECT_THAT(applied.output, HasSubstr("version 20240818042100"));
  EXPECT_THAT(run({"--status"}).output, HasSubstr("nothing to apply\n"));
  expectWhole();
}

TEST_P(MigrateProgramTest, SaysWhatIsWrong) {
  Settings wrong = settings();
  wrong[GetParam() == db::Dialect::Sqlite ? "SQLITE_DB_DIR" : "DB_PORT"] =
      GetParam() == db::Dialect::Sqlite ? "/no/such/folder" : "1";
  ServerProcess process(wrong, {"migrate", "--status"}, "/");
  EXPECT_EQ(process.waitForExit(), 1);
  EXPECT_THAT(process.output(), HasSubstr("stratos-server migrate: "));
}

INSTANTIATE_TEST_SUITE_P(Dialects, MigrateProgramTest,
                         ::testing::Values(db::Dialect::Sqlite, db::Dialect::PostgreSql),
                         [](const auto& param) {
                           return param.param == db::Dialect::Sqlite ? "Sqlite" : "PostgreSql";
                         });

}  // namespace
}  // namespace stratos::takeover
