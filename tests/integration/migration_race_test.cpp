#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>
#include <vector>

#include "stratos/base/error.hpp"
#include "stratos/store/schema.hpp"
#include "stratos/testing/test_database.hpp"

namespace stratos::store {
namespace {

class MigrationRaceTest : public ::testing::TestWithParam<db::Dialect> {
 protected:
  void SetUp() override {
    if (!testing::TestDatabase::isAvailable(GetParam())) {
      GTEST_SKIP() << testing::TestDatabase::skipReason();
    }
    test_ = std::make_unique<testing::TestDatabase>(GetParam());
  }

  void expectCompleteHistory() {
    const auto database = test_->open();
    const db::Rows rows =
        database->connect().query("SELECT id, version_id FROM goose_db_version ORDER BY id");
    const std::vector<db::Migration> migrations = upstreamMigrations();
    ASSERT_EQ(rows.size(), 33u);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      EXPECT_EQ(rows[i].integer("id"), static_cast<std::int64_t>(i) + 1);
      EXPECT_EQ(rows[i].integer("version_id"), i == 0 ? 0 : migrations[i - 1].version);
    }
    EXPECT_EQ(database->connect().query("SELECT id FROM stratos_schema_history").size(),
              store::ownMigrations().size() + 1);
    EXPECT_EQ(database->connect()
                  .queryOne("SELECT value FROM stratos_settings WHERE name = 'ciphertext_format'")
                  ->text("value"),
              "gcm");
  }

  static constexpr int kRunners = 8;
  std::unique_ptr<testing::TestDatabase> test_;
};

TEST_P(MigrationRaceTest, ThreadsShareTheWork) {
  std::atomic<int> applied{0};
  std::atomic<int> created{0};
  std::vector<std::string> errors(kRunners);
  std::vector<std::thread> threads;
  for (int i = 0; i < kRunners; ++i) {
    threads.emplace_back([&, i] {
      try {
        NullLogSink log;
        const auto database = test_->open();
        const SchemaReport report = migrateSchema(*database, log);
        applied += report.upstreamApplied;
        if (report.wasEmpty) ++created;
      } catch (const Error& e) {
        errors[static_cast<std::size_t>(i)] = e.what();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(errors, std::vector<std::string>(kRunners));
  EXPECT_EQ(applied, 32);
  EXPECT_EQ(created, 1);
  expectCompleteHistory();
}

TEST_P(MigrationRaceTest, ProcessesShareTheWork) {
  std::vector<pid_t> children;
  for (int i = 0; i < kRunners; ++i) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      int status = 1;
      try {
        NullLogSink log;
        const auto database = test_->open();
        (void)migrateSchema(*database, log);
        status = 0;
      } catch (const Error& e) {
        // The parent only sees the status.
        (void)!::write(STDERR_FILENO, e.what(), std::string(e.what()).size());
      }
      ::_exit(status);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  expectCompleteHistory();
}

INSTANTIATE_TEST_SUITE_P(Dialects, MigrationRaceTest,
                         ::testing::Values(db::Dialect::Sqlite, db::Dialect::PostgreSql),
                         [](const auto& param) {
                           return param.param == db::Dialect::Sqlite ? "Sqlite" : "PostgreSql";
                         });

}  // namespace
}  // namespace stratos::store
