#include "stratos/db/database.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <limits>
#include <thread>

#include "stratos/base/error.hpp"
#include "stratos/engine/event_loop.hpp"
#include "stratos/testing/test_database.hpp"

namespace stratos::db {
namespace {

using testing::TestDatabase;

class DatabaseTest : public ::testing::TestWithParam<Dialect> {
 protected:
  void SetUp() override {
    if (!TestDatabase::isAvailable(GetParam())) GTEST_SKIP() << TestDatabase::skipReason();
    test_ = std::make_unique<TestDatabase>(GetParam());
    database_ = test_->open();
  }

  // What a throwing call says; the code is checked by the caller.
  template <class Work>
  static Error errorOf(const Work& work) {
    try {
      work();
    } catch (const Error& e) {
      return e;
    }
    ADD_FAILURE() << "nothing was thrown";
    return Error(ErrorCode::Cancelled, "");
  }

  std::unique_ptr<TestDatabase> test_;
  std::unique_ptr<Database> database_;
};

TEST_P(DatabaseTest, ReturnsEveryTypeAsItWasWritten) {
  Connection connection = database_->connect();
  connection.execute(
      "CREATE TABLE t (id BIGINT, flag BOOLEAN, small VARCHAR(3), body TEXT, bin BYTEA,"
      " real_value DOUBLE PRECISION, moment TIMESTAMP)");
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<char>(i));
  const std::string text = "it's \\ \"quoted\" $1 \xC3\xA9\n%s";
  const std::int64_t big = std::numeric_limits<std::int64_t>::max();
  connection.execute(
      "INSERT INTO t VALUES ($1, $2, $3, $4, $5, $6, $7)",
      {big, true, "k8s", text, Blob{bytes}, 1.5, std::string("2024-08-18 10:01:02.123+00:00")});
  const auto row = connection.queryOne("SELECT * FROM t WHERE id = $1", {big});
  ASSERT_TRUE(row);
  EXPECT_EQ(row->integer("id"), big);
  EXPECT_TRUE(row->boolean("flag"));
  EXPECT_EQ(row->text("small"), "k8s");
  EXPECT_EQ(row->text("body"), text);
  EXPECT_EQ(row->at("bin"), Value(Blob{bytes}));
  EXPECT_EQ(row->at("real_value"), Value(1.5));
  EXPECT_EQ(row->timestamp("moment"), TimePoint{std::chrono::milliseconds{1'723'975'262'123}});
}

TEST_P(DatabaseTest, TellsNullFromEmpty) {
  Connection connection = database_->connect();
  connection.execute("CREATE TABLE t (id INT, body TEXT, bin BYTEA, flag BOOLEAN, n BIGINT)");
  connection.execute("INSERT INTO t VALUES (1, $1, $2, $3, $4)", {Null{}, Null{}, Null{}, Null{}});
  connection.execute("INSERT INTO t VALUES (2, $1, $2, $3, $4)",
                     {"", Blob{}, false, std::int64_t{0}});
  const Rows rows = connection.query("SELECT * FROM t ORDER BY id");
  ASSERT_EQ(rows.size(), 2u);
  for (const char* column : {"body", "bin", "flag", "n"}) {
    EXPECT_TRUE(rows[0].isNull(column)) << column;
    EXPECT_FALSE(rows[1].isNull(column)) << column;
  }
  EXPECT_EQ(rows[1].at("bin"), Value(Blob{}));
}

TEST_P(DatabaseTest, ReadsTheDefaultTimestamp) {
  Connection connection = database_->connect();
  connection.execute("CREATE TABLE t (id INT, at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)");
  connection.execute("INSERT INTO t (id) VALUES (1)");
  const auto row = connection.queryOne("SELECT at FROM t");
  EXPECT_GT(row->timestamp("at").value(), fromUnixSeconds(1'700'000'000));
}

TEST_P(DatabaseTest, CountsAffectedRowsAndStatements) {
  Connection connection = database_->connect();
  const std::uint64_t before = database_->statementCount();
  connection.execute("CREATE TABLE t (id INT)");
  EXPECT_EQ(connection.execute("INSERT INTO t VALUES (1), (2), (3)"), 3);
  EXPECT_EQ(connection.execute("UPDATE t SET id = 9 WHERE id > $1", {std::int64_t{1}}), 2);
  EXPECT_EQ(connection.execute("DELETE FROM t WHERE id = 77"), 0);
  EXPECT_EQ(connection.execute("CREATE TABLE u (id INT)"), 0);
  EXPECT_EQ(database_->statementCount() - before, 5u);
}

TEST_P(DatabaseTest, UniqueViolationIsAlreadyExistsWithoutTheValue) {
  Connection connection = database_->connect();
  connection.execute("CREATE TABLE t (id INT PRIMARY KEY, name TEXT UNIQUE)");
  connection.execute("INSERT INTO t VALUES (1, $1)", {"hush-hush"});
  for (const std::int64_t id : {1, 2}) {
    const Error error = errorOf([&] {
      connection.execute("INSERT INTO t VALUES ($1, $2)", {id, "hush-hush"});
    });
    EXPECT_EQ(error.code(), ErrorCode::AlreadyExists);
    EXPECT_NE(std::string(error.what()).find("INSERT INTO t"), std::string::npos);
    EXPECT_EQ(std::string(error.what()).find("hush"), std::string::npos);
    EXPECT_EQ(error.publicMessage().find("hush"), std::string::npos);
  }
}

TEST_P(DatabaseTest, ErrorsNeverQuoteAParameter) {
  Connection connection = database_->connect();
  connection.execute("CREATE TABLE t (id INT, CHECK (id > 0))");
  const Error error =
      errorOf([&] { connection.execute("INSERT INTO t SELECT CAST($1 AS INT)", {"-4711"}); });
  EXPECT_EQ(error.code(), ErrorCode::Internal);
  EXPECT_EQ(std::string(error.what()).find("4711"), std::string::npos);
  if (GetParam() == Dialect::PostgreSql) {
    const Error wrong =
        errorOf([&] { connection.execute("INSERT INTO t SELECT CAST($1 AS INT)", {"hush"}); });
    EXPECT_EQ(std::string(wrong.what()).find("hush"), std::string::npos) << wrong.what();
  }
}

TEST_P(DatabaseTest, BrokenStatementIsInternalAndTheConnectionGoesOn) {
  Connection connection = database_->connect();
  EXPECT_EQ(errorOf([&] { (void)connection.query("SELEC 1"); }).code(), ErrorCode::Internal);
  EXPECT_EQ(errorOf([&] { (void)connection.query("SELECT 1; SELECT 2"); }).code(),
            ErrorCode::Internal);
  EXPECT_EQ(connection.queryOne("SELECT 1 AS one")->integer("one"), 1);
}

TEST_P(DatabaseTest, TransactionRollsBackUnlessCommitted) {
  Connection connection = database_->connect();
  connection.execute("CREATE TABLE t (id INT)");
  {
    Transaction transaction(connection);
    connection.execute("INSERT INTO t VALUES (1)");
    EXPECT_THROW(Transaction nested(connection), Error);
  }
  EXPECT_TRUE(connection.query("SELECT id FROM t").empty());
  {
    Transaction transaction(connection);
    transaction.lock("a name");
    connection.execute("INSERT INTO t VALUES (2)");
    transaction.commit();
    EXPECT_THROW(transaction.commit(), Error);
  }
  EXPECT_EQ(connection.query("SELECT id FROM t").size(), 1u);
  EXPECT_THROW(database_->transact([](Connection& c, Transaction&) {
    c.execute("INSERT INTO t VALUES (3)");
    throw std::runtime_error("stop");
  }),
               std::runtime_error);
  EXPECT_EQ(connection.query("SELECT id FROM t").size(), 1u);
}

TEST_P(DatabaseTest, CommitAfterAFailedStatementNeverPretends) {
  Connection connection = database_->connect();
  connection.execute("CREATE TABLE t (id INT PRIMARY KEY)");
  connection.execute("INSERT INTO t VALUES (1)");
  Transaction transaction(connection);
  connection.execute("INSERT INTO t VALUES (2)");
  EXPECT_THROW(connection.execute("INSERT INTO t VALUES (1)"), Error);
  if (GetParam() == Dialect::PostgreSql) {
    EXPECT_EQ(errorOf([&] { transaction.commit(); }).code(), ErrorCode::Internal);
  } else {
    transaction.commit();
    EXPECT_EQ(connection.query("SELECT id FROM t").size(), 2u);
  }
}

TEST_P(DatabaseTest, LockMakesReadThenWriteSafe) {
  database_->connect().execute("CREATE TABLE t (n BIGINT)");
  database_->connect().execute("INSERT INTO t VALUES (0)");
  constexpr int kThreads = 8;
  constexpr int kRounds = 5;
  std::vector<std::thread> threads;
  std::atomic<int> failures{0};
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      try {
        for (int round = 0; round < kRounds; ++round) {
          database_->transact([](Connection& c, Transaction& t) {
            t.lock("counter");
            const std::int64_t n = c.queryOne("SELECT n FROM t")->integer("n");
            c.execute("UPDATE t SET n = $1", {n + 1});
          });
        }
      } catch (const Error&) {
        ++failures;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(database_->connect().queryOne("SELECT n FROM t")->integer("n"), kThreads * kRounds);
}

TEST_P(DatabaseTest, FullPoolSaysSo) {
  PoolOptions options;
  options.maxConnections = 1;
  options.acquireTimeout = std::chrono::milliseconds{1};
  const auto small = test_->open(options);
  {
    const Connection held = small->connect();
    EXPECT_EQ(errorOf([&] { (void)small->connect(); }).code(), ErrorCode::Unavailable);
  }
  EXPECT_NO_THROW((void)small->connect());
}

TEST_P(DatabaseTest, DescriptionNamesThePlaceOnly) {
  const std::string& text = database_->description();
  if (GetParam() == Dialect::Sqlite) {
    EXPECT_NE(text.find(test_->sqliteOptions().file), std::string::npos);
  } else {
    EXPECT_NE(text.find(test_->postgreSqlOptions().database), std::string::npos);
    EXPECT_EQ(text.find(test_->postgreSqlOptions().password.reveal()), std::string::npos);
  }
}

/// Runs `body` on so many fibers of one loop that share one thread for what blocks.
void onFibers(int count, const std::function<void()>& body) {
  WorkerPool blocking(1);
  engine::EventLoop loop(blocking);
  loop.post([&] {
    for (int i = 0; i < count; ++i) loop.spawn(body);
    loop.stop();
  });
  loop.run();
}

TEST_P(DatabaseTest, FibersWithMoreStatementsThanConnectionsDoNotStandInEachOthersWay) {
  database_->connect().execute("CREATE TABLE t (id INT)");
  const auto narrow =
      test_->open({.maxConnections = 1, .acquireTimeout = std::chrono::milliseconds{500}});
  onFibers(8, [&] {
    try {
      Connection connection = narrow->connect();
      connection.execute("INSERT INTO t VALUES (1)");
      connection.execute("INSERT INTO t VALUES (2)");
      narrow->transact([](Connection& inside, Transaction&) {
        inside.execute("INSERT INTO t VALUES (3)");
        EXPECT_TRUE(inside.queryOne("SELECT id FROM t WHERE id = 3").has_value());
      });
    } catch (const Error& error) {
      ADD_FAILURE() << error.what();
    }
  });
  EXPECT_EQ(database_->connect().query("SELECT id FROM t").size(), 24U);
}

TEST_P(DatabaseTest, AFiberHoldsNoTransaction) {
  onFibers(1, [&] {
    Connection connection = database_->connect();
    const Error error = errorOf([&] { const Transaction transaction(connection); });
    EXPECT_EQ(error.code(), ErrorCode::Internal);
    EXPECT_TRUE(connection.queryOne("SELECT 1").has_value());
  });
}

INSTANTIATE_TEST_SUITE_P(Dialects, DatabaseTest,
                         ::testing::Values(Dialect::Sqlite, Dialect::PostgreSql),
                         [](const auto& param) {
                           return param.param == Dialect::Sqlite ? "Sqlite" : "PostgreSql";
                         });

class SqliteTest : public ::testing::Test {
 protected:
  TestDatabase test_{Dialect::Sqlite};
  std::unique_ptr<Database> database_ = test_.open();
};

TEST_F(SqliteTest, FileIsPrivateAndInWalMode) {
  Connection connection = database_->connect();
  EXPECT_EQ(connection.queryOne("PRAGMA journal_mode")->text("journal_mode"), "wal");
  EXPECT_EQ(connection.queryOne("PRAGMA foreign_keys")->integer("foreign_keys"), 1);
  connection.execute("CREATE TABLE t (id INT)");
  for (const std::string suffix : {"", "-wal", "-shm"}) {
    struct stat info {};
    ASSERT_EQ(::stat((test_.sqliteOptions().file + suffix).c_str(), &info), 0) << suffix;
    EXPECT_EQ(info.st_mode & 0777u, 0600u) << suffix;
  }
}

TEST_F(SqliteTest, DeclaredTypeDoesNotChangeAValue) {
  Connection connection = database_->connect();
  connection.execute("CREATE TABLE t (a BYTEA, b VARCHAR(3), c TIMESTAMP, d TEXT, e BOOLEAN)");
  connection.execute(
      "INSERT INTO t VALUES (X'00FF00', 'metrics', '2024-08-18 10:01:02', X'7B7D', 1)");
  connection.execute("INSERT INTO t VALUES ('text', 'x', 1723975262, '{}', 0)");
  connection.execute("INSERT INTO t VALUES (NULL, NULL, 'not a time', NULL, NULL)");
  const Rows rows = connection.query("SELECT * FROM t ORDER BY rowid");
  EXPECT_EQ(rows[0].blob("a"), std::string("\0\xFF\0", 3));
  EXPECT_EQ(rows[0].text("b"), "metrics");
  EXPECT_EQ(rows[0].timestamp("c"), fromUnixSeconds(1'723'975'262));
  EXPECT_EQ(rows[0].text("d"), "{}");
  EXPECT_EQ(rows[1].blob("a"), "text");
  EXPECT_EQ(rows[1].timestamp("c"), fromUnixSeconds(1'723'975'262));
  EXPECT_EQ(rows[1].text("d"), "{}");
  EXPECT_TRUE(rows[0].boolean("e"));
  EXPECT_FALSE(rows[1].boolean("e"));
  EXPECT_FALSE(rows[2].timestamp("c"));
}

TEST_F(SqliteTest, KeepsTextWithANul) {
  Connection connection = database_->connect();
  connection.execute("CREATE TABLE t (a TEXT)");
  const std::string text("a\0b", 3);
  connection.execute("INSERT INTO t VALUES ($1)", {text});
  EXPECT_EQ(connection.queryOne("SELECT a FROM t")->text("a"), text);
}

TEST_F(SqliteTest, UnusablePlacesAreUnavailable) {
  for (const std::string& file : {test_.directory(), test_.directory() + "/none/console.db"}) {
    try {
      (void)Database::openSqlite({file});
      FAIL() << file;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::Unavailable);
      EXPECT_NE(std::string(e.what()).find(file), std::string::npos);
    }
  }
  const std::string garbage = test_.directory() + "/garbage.db";
  std::ofstream(garbage) << std::string(4096, 'x');
  EXPECT_THROW((void)Database::openSqlite({garbage}), Error);
  EXPECT_THROW((void)Database::openSqlite({""}), Error);
  EXPECT_THROW((void)Database::openSqlite({":memory:"}), Error);
}

TEST_F(SqliteTest, LockedFullAndReadOnlyAreUnavailable) {
  SqliteOptions impatient = test_.sqliteOptions();
  impatient.busyTimeout = std::chrono::milliseconds{1};
  const auto other = Database::openSqlite(impatient);
  Connection connection = database_->connect();
  connection.execute("CREATE TABLE t (a TEXT)");
  const auto codeOf = [](const auto& work) {
    try {
      work();
    } catch (const Error& e) {
      return e.code();
    }
    return ErrorCode::Cancelled;
  };
  {
    const Transaction writer(connection);
    EXPECT_EQ(codeOf([&] { other->connect().execute("INSERT INTO t VALUES ('x')"); }),
              ErrorCode::Unavailable);
  }
  connection.execute("INSERT INTO t VALUES ('x')");
  (void)connection.query("PRAGMA max_page_count = 3");
  EXPECT_EQ(codeOf([&] {
              Transaction transaction(connection);
              connection.execute("INSERT INTO t VALUES ($1)", {std::string(100'000, 'x')});
              transaction.commit();
            }),
            ErrorCode::Unavailable);
  (void)connection.query("PRAGMA max_page_count = 1000000");
  connection.execute("PRAGMA query_only = ON");
  EXPECT_EQ(codeOf([&] { connection.execute("INSERT INTO t VALUES ('y')"); }),
            ErrorCode::Unavailable);
  connection.execute("PRAGMA query_only = OFF");
  EXPECT_EQ(connection.query("SELECT a FROM t").size(), 1u);
}

/// Prints what an Unavailable error says and ends the process with 0; root's rights, which know no
/// read-only files, are given up before.
template <class Work>
[[noreturn]] void reportOutage(const Work& work) {
  constexpr unsigned kNobody = 65534;
  if (::geteuid() == 0 && (::setgid(kNobody) != 0 || ::setuid(kNobody) != 0)) ::_exit(3);
  try {
    work();
    std::cerr << "nothing was thrown\n";
  } catch (const Error& e) {
    std::cerr << e.what() << '\n';
    ::_exit(e.code() == ErrorCode::Unavailable ? 0 : 2);
  }
  ::_exit(1);
}

TEST_F(SqliteTest, ReadOnlyPlacesAndAFullDiskAreUnavailable) {
  namespace fs = std::filesystem;
  database_->connect().execute("CREATE TABLE t (a TEXT)");
  database_.reset();
  const fs::path file = test_.sqliteOptions().file;
  const auto open = [&] { return Database::openSqlite(test_.sqliteOptions()); };
  const auto allow = [](const fs::path& place, unsigned mode) {
    fs::permissions(place, static_cast<fs::perms>(mode));
  };

  allow(test_.directory(), 0755);
  allow(file, 0444);
  EXPECT_EXIT(reportOutage([&] { (void)open(); }), ::testing::ExitedWithCode(0),
              "console-database.db for writing: Permission denied");
  allow(file, 0666);
  allow(test_.directory(), 0555);
  EXPECT_EXIT(reportOutage([&] { open()->connect().execute("INSERT INTO t VALUES ('x')"); }),
              ::testing::ExitedWithCode(0), "console-database.db.*folder must be");
  allow(test_.directory(), 0777);
  EXPECT_EXIT(reportOutage([&] {
                const auto full = open();
                // Writing beyond the limit fails as it does on a disk without room.
                (void)std::signal(SIGXFSZ, SIG_IGN);
                const rlimit limit{65'536, 65'536};
                if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) ::_exit(3);
                full->connect().execute("INSERT INTO t VALUES ($1)", {std::string(200'000, 'x')});
              }),
              ::testing::ExitedWithCode(0), "INSERT INTO t");
  EXPECT_TRUE(open()->connect().query("SELECT a FROM t").empty()) << "nothing is half written";
}

class PostgreSqlTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!TestDatabase::isAvailable(Dialect::PostgreSql)) {
      GTEST_SKIP() << TestDatabase::skipReason();
    }
    test_ = std::make_unique<TestDatabase>(Dialect::PostgreSql);
    database_ = test_->open();
  }

  // Ends the server's side of all other connections to this database.
  void terminateOthers() {
    const auto killer = test_->open();
    (void)killer->connect().query(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND backend_type = 'client backend'");
  }

  std::unique_ptr<TestDatabase> test_;
  std::unique_ptr<Database> database_;
};

TEST_F(PostgreSqlTest, LostIdleConnectionsAreReplaced) {
  {
    Connection a = database_->connect();
    Connection b = database_->connect();
    Connection c = database_->connect();
    (void)a.query("SELECT 1");
  }
  terminateOthers();
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(database_->connect().queryOne("SELECT 1 AS one")->integer("one"), 1);
  }
}

TEST_F(PostgreSqlTest, LossInATransactionIsUnavailableAndTheNextCallWorks) {
  database_->connect().execute("CREATE TABLE t (id INT)");
  try {
    database_->transact([&](Connection& connection, Transaction&) {
      connection.execute("INSERT INTO t VALUES (1)");
      terminateOthers();
      connection.execute("INSERT INTO t VALUES (2)");
    });
    FAIL() << "the loss was not noticed";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::Unavailable);
    EXPECT_TRUE(e.isRetryable());
  }
  EXPECT_TRUE(database_->connect().query("SELECT id FROM t").empty());
}

TEST_F(PostgreSqlTest, OptionsReachTheServerUnchanged) {
  const std::string name = "odd '\\ name";
  const std::string password = "p'a\\s s=x\"";
  const std::string suffix = test_->postgreSqlOptions().database;
  Connection admin = database_->connect();
  const auto quoted = admin.queryOne(
      "SELECT format('CREATE ROLE %I LOGIN PASSWORD %L', CAST($1 AS text), CAST($2 AS text)) AS s",
      {name + suffix, password});
  admin.execute(quoted->text("s"));
  PostgreSqlOptions options = test_->postgreSqlOptions();
  options.user = name + suffix;
  options.password = Secret(password);
  EXPECT_EQ(Database::openPostgreSql(options)
                ->connect()
                .queryOne("SELECT current_user AS who")
                ->text("who"),
            options.user);
  options.password = Secret("wrong-but-secret");
  try {
    (void)Database::openPostgreSql(options)->connect();
    ADD_FAILURE() << "the wrong password was accepted";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::Unavailable);
    EXPECT_EQ(std::string(e.what()).find("wrong-but-secret"), std::string::npos);
  }
  admin.execute(
      admin.queryOne("SELECT format('DROP ROLE %I', CAST($1 AS text)) AS s", {name + suffix})
          ->text("s"));
}

TEST_F(PostgreSqlTest, TlsModeReachesTheServer) {
  PostgreSqlOptions options = test_->postgreSqlOptions();
  options.sslMode = "verify-full";
  options.sslRootCert = "/nowhere/a 'file'.pem";
  EXPECT_THROW((void)Database::openPostgreSql(options)->connect(), Error);
}

TEST_F(PostgreSqlTest, TextWithANulIsRefused) {
  EXPECT_THROW(
      (void)database_->connect().query("SELECT CAST($1 AS text)", {std::string("a\0b", 3)}), Error);
}

TEST(PostgreSqlOptionsTest, ImpossibleOnesAreRefusedAtOnce) {
  PostgreSqlOptions good;
  good.host = "127.0.0.1";
  good.user = "u";
  good.database = "d";
  EXPECT_NO_THROW((void)Database::openPostgreSql(good));
  PostgreSqlOptions bad = good;
  bad.sslMode = "prefer";
  EXPECT_THROW((void)Database::openPostgreSql(bad), Error);
  bad = good;
  bad.port = 0;
  EXPECT_THROW((void)Database::openPostgreSql(bad), Error);
  bad = good;
  bad.host.clear();
  EXPECT_THROW((void)Database::openPostgreSql(bad), Error);
}

TEST(PostgreSqlOptionsTest, NobodyListeningIsUnavailable) {
  PostgreSqlOptions options;
  options.host = "127.0.0.1";
  options.port = 1;
  options.user = "u";
  options.password = Secret("hush");
  options.database = "d";
  try {
    (void)Database::openPostgreSql(options)->connect();
    FAIL() << "somebody answered";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::Unavailable);
    EXPECT_EQ(std::string(e.what()).find("hush"), std::string::npos);
  }
}

}  // namespace
}  // namespace stratos::db
