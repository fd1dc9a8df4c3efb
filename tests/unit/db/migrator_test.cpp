#include "stratos/db/migrator.hpp"

#include <gtest/gtest.h>

#include "stratos/base/error.hpp"
#include "stratos/testing/test_database.hpp"

namespace stratos::db {
namespace {

using testing::TestDatabase;

class MigratorTest : public ::testing::TestWithParam<Dialect> {
 protected:
  void SetUp() override {
    if (!TestDatabase::isAvailable(GetParam())) GTEST_SKIP() << TestDatabase::skipReason();
    test_ = std::make_unique<TestDatabase>(GetParam());
    database_ = test_->open();
  }

  static Migration creating(std::int64_t version, const std::string& table) {
    return {version, table,
            [table](Connection& c) { c.execute("CREATE TABLE " + table + " (id INT)"); }};
  }

  void addRow(std::int64_t version, bool isApplied) {
    database_->connect().execute("INSERT INTO history (version_id, is_applied) VALUES ($1, $2)",
                                 {version, isApplied});
  }

  std::unique_ptr<TestDatabase> test_;
  std::unique_ptr<Database> database_;
  NullLogSink log_;
};

TEST_P(MigratorTest, AppliesEachStepOnce) {
  Migrator migrator(*database_, "history", {creating(10, "a"), creating(20, "b")}, log_);
  EXPECT_EQ(migrator.currentVersion(), 0);
  EXPECT_EQ(migrator.pending(), (std::vector<std::int64_t>{10, 20}));
  EXPECT_EQ(migrator.migrate(), 2);
  EXPECT_EQ(migrator.migrate(), 0);
  EXPECT_EQ(migrator.currentVersion(), 20);
  EXPECT_TRUE(migrator.pending().empty());
  const auto rows = migrator.history();
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0].version, 20);
  EXPECT_EQ(rows[0].id, 3);
  EXPECT_EQ(rows[2].version, 0);
  EXPECT_TRUE(rows[0].appliedAt);
}

TEST_P(MigratorTest, FailedStepLeavesTheEarlierOnes) {
  Migrator migrator(*database_, "history",
                    {creating(10, "a"),
                     {20, "broken",
                      [](Connection& c) {
                        c.execute("CREATE TABLE half (id INT)");
                        c.execute("CREATE TABL");
                      }}},
                    log_);
  EXPECT_THROW(migrator.migrate(), Error);
  EXPECT_EQ(migrator.currentVersion(), 10);
  Connection connection = database_->connect();
  EXPECT_TRUE(hasTable(connection, "a"));
  EXPECT_FALSE(hasTable(connection, "half"));
}

TEST_P(MigratorTest, LowerVersionThanTheCurrentOneIsNeverApplied) {
  EXPECT_EQ(Migrator(*database_, "history", {creating(20, "b")}, log_).migrate(), 1);
  Migrator both(*database_, "history", {creating(10, "a"), creating(20, "b")}, log_);
  EXPECT_EQ(both.migrate(), 0);
  Connection connection = database_->connect();
  EXPECT_FALSE(hasTable(connection, "a"));
}

TEST_P(MigratorTest, CurrentVersionFollowsGoosesRule) {
  Migrator migrator(*database_, "history", {}, log_);
  EXPECT_EQ(migrator.migrate(), 0);
  addRow(10, true);
  addRow(30, true);
  addRow(20, true);
  EXPECT_EQ(migrator.currentVersion(), 20) << "the newest row wins, not the highest version";
  addRow(20, false);
  EXPECT_EQ(migrator.currentVersion(), 30);
  EXPECT_EQ(migrator.reportedVersion(), 20) << "the console only looks at applied rows";
}

TEST_P(MigratorTest, FindsTablesAndColumnsInAnyCase) {
  Connection connection = database_->connect();
  connection.execute("CREATE TABLE config (groupName TEXT)");
  EXPECT_TRUE(hasTable(connection, "Config"));
  EXPECT_TRUE(hasColumn(connection, "config", "groupname"));
  EXPECT_TRUE(hasColumn(connection, "config", "groupName"));
  EXPECT_FALSE(hasColumn(connection, "config", "group"));
  EXPECT_FALSE(hasColumn(connection, "other", "group"));
}

TEST_P(MigratorTest, RefusesOddNamesAndOrders) {
  EXPECT_THROW(Migrator(*database_, "a; DROP", {}, log_), Error);
  EXPECT_THROW(Migrator(*database_, "history", {creating(2, "b"), creating(1, "a")}, log_), Error);
}

INSTANTIATE_TEST_SUITE_P(Dialects, MigratorTest,
                         ::testing::Values(Dialect::Sqlite, Dialect::PostgreSql),
                         [](const auto& param) {
                           return param.param == Dialect::Sqlite ? "Sqlite" : "PostgreSql";
                         });

}  // namespace
}  // namespace stratos::db
