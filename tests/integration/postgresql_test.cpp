#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include "private_postgres.hpp"
#include "stratos/base/error.hpp"
#include "stratos/crypto/random.hpp"
#include "stratos/store/schema.hpp"
#include "stratos/store/settings_store.hpp"
#include "stratos/testing/test_certificates.hpp"

namespace stratos::db {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::PrivatePgBouncer;
using testing::PrivatePostgres;

constexpr const char* kPasswordPart = "cluster-pass";

class PrivatePostgresTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!PrivatePostgres::isAvailable()) GTEST_SKIP() << PrivatePostgres::skipReason();
  }

  /// What `work` throws as text, which must be Unavailable; empty when nothing.
  template <class Work>
  static std::string outageOf(const Work& work) {
    try {
      work();
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::Unavailable) << e.what();
      EXPECT_THAT(e.what(), Not(HasSubstr(kPasswordPart)));
      return e.what();
    }
    return {};
  }

  static std::int64_t numberFrom(Database& database, const std::string& query) {
    return database.connect().queryOne("SELECT CAST((" + query + ") AS bigint) AS n")->integer("n");
  }

  /// Runs `work(i)` on `count` threads at once; what they throw fails the test.
  template <class Work>
  static void onThreads(int count, const Work& work) {
    std::vector<std::string> errors(static_cast<std::size_t>(count));
    std::vector<std::thread> threads;
    for (int i = 0; i < count; ++i) {
      threads.emplace_back([&, i] {
        try {
          work(i);
        } catch (const std::exception& e) {
          errors[static_cast<std::size_t>(i)] = e.what();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (const std::string& error : errors) EXPECT_EQ(error, "");
  }

  /// Read, add one, write, on several threads: needs the lock to work.
  static void countTogether(Database& database, int threads, int rounds) {
    onThreads(threads, [&](int) {
      for (int round = 0; round < rounds; ++round) {
        database.transact([](Connection& c, Transaction& t) {
          t.lock("counter");
          const std::int64_t n = c.queryOne("SELECT n FROM counter")->integer("n");
          c.execute("UPDATE counter SET n = $1", {n + 1});
        });
      }
    });
  }
};

TEST_F(PrivatePostgresTest, TlsModesCheckWhatTheyPromise) {
  const testing::TestCertificates authority;
  const testing::TestCertificates stranger("Some other CA");
  const PrivatePostgres server({{}, authority.issueServer({"localhost"}), authority.caPem()});
  server.execute("CREATE ROLE certified LOGIN");
  // libpq wants a key to belong to the user of the process.
  const auto write = [&](const std::string& name, const std::string& content) {
    const std::string path = server.directory() + "/" + name;
    std::ofstream(path) << content;
    std::filesystem::permissions(path, std::filesystem::perms::owner_read);
    return path;
  };
  const std::string root = write("root.crt", authority.caPem());
  const std::string otherRoot = write("other.crt", stranger.caPem());

  PostgreSqlOptions options = server.options();
  const auto isEncrypted = [&] {
    const auto database = Database::openPostgreSql(options);
    const auto row =
        database->connect().queryOne("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()");
    return row && row->boolean("ssl");
  };
  const auto refusal = [&] { return outageOf([&] { static_cast<void>(isEncrypted()); }); };
  const auto use = [&](const std::string& mode, const std::string& host, const std::string& ca) {
    options.sslMode = mode;
    options.host = host;
    options.sslRootCert = ca;
  };

  use("disable", "localhost", "");
  EXPECT_NE(refusal(), "") << "the server speaks TLS only";
  use("require", "localhost", "");
  EXPECT_TRUE(isEncrypted());
  // The certificate says "localhost" and nothing else.
  use("verify-ca", "127.0.0.1", root);
  EXPECT_TRUE(isEncrypted());
  use("verify-ca", "localhost", otherRoot);
  EXPECT_THAT(refusal(), HasSubstr("certificate"));
  use("verify-full", "localhost", root);
  EXPECT_TRUE(isEncrypted());
  use("verify-full", "127.0.0.1", root);
  EXPECT_THAT(refusal(), HasSubstr("127.0.0.1"));
  use("verify-full", "localhost", otherRoot);
  EXPECT_THAT(refusal(), HasSubstr("certificate"));

  use("verify-full", "localhost", root);
  options.user = "certified";
  options.password = Secret();
  EXPECT_NE(refusal(), "") << "without a certificate";
  const testing::TlsIdentity client = authority.issueClient("certified");
  options.sslCert = write("client.crt", client.certificatePem);
  options.sslKey = write("client.key", client.keyPem);
  EXPECT_TRUE(isEncrypted());
  const testing::TlsIdentity other = authority.issueClient("somebody-else");
  options.sslCert = write("somebody.crt", other.certificatePem);
  options.sslKey = write("somebody.key", other.keyPem);
  EXPECT_NE(refusal(), "") << "the certificate of another user";
  const testing::TlsIdentity forged = stranger.issueClient("certified");
  options.sslCert = write("forged.crt", forged.certificatePem);
  options.sslKey = write("forged.key", forged.keyPem);
  EXPECT_NE(refusal(), "") << "the certificate of another CA";
}

TEST_F(PrivatePostgresTest, LongStatementsAreCancelled) {
  const PrivatePostgres server;
  PostgreSqlOptions options = server.options();
  options.statementTimeout = milliseconds{300};
  const auto database = Database::openPostgreSql(options);
  const auto patient = Database::openPostgreSql(server.options());

  const auto start = std::chrono::steady_clock::now();
  EXPECT_THAT(outageOf([&] { (void)database->connect().query("SELECT pg_sleep(60)"); }),
              AllOf(HasSubstr("300 ms"), HasSubstr("SELECT")));
  EXPECT_LT(std::chrono::steady_clock::now() - start, seconds{20});
  EXPECT_EQ(numberFrom(*patient,
                       "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND "
                       "query LIKE 'SELECT pg_sleep%'"),
            0)
      << "the server goes on with it";
  EXPECT_EQ(numberFrom(*database, "SELECT 1"), 1) << "the next one is not hit";

  patient->transact([&](Connection&, Transaction& holder) {
    holder.lock("taken");
    EXPECT_NE(
        outageOf([&] { database->transact([](Connection&, Transaction& t) { t.lock("taken"); }); }),
        "");
  });
  database->transact([](Connection& connection, Transaction& transaction) {
    transaction.liftStatementTimeout();
    (void)connection.query("SELECT pg_sleep(0.6)");
  });
  EXPECT_NE(outageOf([&] { (void)database->connect().query("SELECT pg_sleep(60)"); }), "")
      << "the limit counts again";
}

TEST_F(PrivatePostgresTest, WhatLostAgainstAnotherTransactionIsRepeated) {
  const PrivatePostgres server(
      {{{"default_transaction_isolation", "serializable"}, {"deadlock_timeout", "50ms"}}, {}, {}});
  const auto database = Database::openPostgreSql(server.options());
  database->connect().execute("CREATE TABLE counter (id INT PRIMARY KEY, n BIGINT)");
  database->connect().execute("INSERT INTO counter VALUES (1, 0)");

  // Between reading and writing another one writes.
  int attempts = 0;
  const auto interrupted = [&](int interruptions) {
    attempts = 0;
    database->transact([&](Connection& connection, Transaction&) {
      connection.execute("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE");
      const std::int64_t n = connection.queryOne("SELECT n FROM counter")->integer("n");
      if (attempts++ < interruptions) database->connect().execute("UPDATE counter SET n = n + 10");
      connection.execute("UPDATE counter SET n = $1", {n + 1});
    });
  };
  interrupted(1);
  EXPECT_EQ(attempts, 2);
  EXPECT_EQ(numberFrom(*database, "SELECT n FROM counter"), 11);
  EXPECT_THAT(outageOf([&] { interrupted(1000); }), HasSubstr("40001"));
  EXPECT_EQ(attempts, 8) << "not for ever";
  EXPECT_EQ(numberFrom(*database, "SELECT n FROM counter"), 91);

  // A statement of its own: every thread meets the others in one row.
  database->connect().execute("UPDATE counter SET n = 0");
  onThreads(4, [&](int) {
    for (int i = 0; i < 10; ++i) {
      database->connect().execute(
          "INSERT INTO counter VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET n = counter.n + 1");
    }
  });
  EXPECT_EQ(numberFrom(*database, "SELECT n FROM counter"), 40);

  // The lock keeps its meaning though the server's default would not let us see the last change.
  countTogether(*database, 4, 10);
  EXPECT_EQ(numberFrom(*database, "SELECT n FROM counter"), 80);

  // Deadlock: one of the two has to give way.
  database->connect().execute("INSERT INTO counter VALUES (2, 0)");
  std::barrier meet(2);
  onThreads(2, [&](int i) {
    bool isFirst = true;
    database->transact([&](Connection& connection, Transaction&) {
      const std::string update = "UPDATE counter SET n = n + 1 WHERE id = $1";
      connection.execute(update, {std::int64_t{1 + i}});
      if (std::exchange(isFirst, false)) meet.arrive_and_wait();
      connection.execute(update, {std::int64_t{2 - i}});
    });
  });
  EXPECT_EQ(numberFrom(*database, "SELECT sum(n) FROM counter"), 84);

  // The program's own work: the schema by several at once, settings that all write.
  onThreads(4, [&](int i) {
    NullLogSink log;
    const auto own = Database::openPostgreSql(server.options());
    static_cast<void>(store::migrateSchema(*own, log));
    store::SettingsStore settings(*own);
    for (int round = 0; round < 5; ++round) {
      settings.set("shared", std::to_string(i));
      settings.setConfig("group", "shared", std::to_string(i));
    }
  });
  EXPECT_EQ(store::reportedSchemaVersion(*database), store::kUpstreamSchemaVersion);
  EXPECT_EQ(numberFrom(*database, "SELECT count(*) FROM config WHERE name = 'shared'"), 1);
}

TEST_F(PrivatePostgresTest, PgBouncerInTransactionModeIsEnough) {
  if (!PrivatePgBouncer::isAvailable()) GTEST_SKIP() << PrivatePgBouncer::skipReason();
  const PrivatePostgres server;
  const PrivatePgBouncer bouncer(server, 2);
  PostgreSqlOptions options = bouncer.options();
  options.statementTimeout = seconds{20};
  const auto database = Database::openPostgreSql(options);
  NullLogSink log;
  static_cast<void>(store::migrateSchema(*database, log));
  database->connect().execute("CREATE TABLE counter (n BIGINT)");
  database->connect().execute("INSERT INTO counter VALUES (0)");
  countTogether(*database, 8, 5);
  EXPECT_EQ(numberFrom(*database, "SELECT n FROM counter"), 40);

  options.statementTimeout = milliseconds{300};
  const auto hasty = Database::openPostgreSql(options);
  EXPECT_NE(outageOf([&] { (void)hasty->connect().query("SELECT pg_sleep(60)"); }), "");
  EXPECT_NE(outageOf([&] {
              hasty->transact([](Connection& connection, Transaction&) {
                connection.execute("UPDATE counter SET n = 0");
                (void)connection.query("SELECT pg_sleep(60)");
              });
            }),
            "");

  // Both server connections: nothing is left of those who used them.
  onThreads(2, [&](int) {
    database->transact([](Connection& connection, Transaction&) {
      EXPECT_TRUE(connection.query("SELECT name FROM pg_prepared_statements").empty());
      EXPECT_TRUE(connection.query("SELECT 1 FROM pg_locks WHERE locktype = 'advisory'").empty());
      EXPECT_EQ(connection.queryOne("SHOW statement_timeout")->text("statement_timeout"), "0");
      EXPECT_EQ(connection.queryOne("SELECT n FROM counter")->integer("n"), 40);
    });
  });
}

TEST_F(PrivatePostgresTest, IdleConnectionsAreClosed) {
  const PrivatePostgres server;
  const auto watcher = Database::openPostgreSql(server.socketOptions());
  const auto backends = [&] {
    return numberFrom(*watcher,
                      "SELECT count(*) FROM pg_stat_activity WHERE datname = 'stratos' AND pid <> "
                      "pg_backend_pid() AND backend_type = 'client backend'");
  };
  PoolOptions pool;
  const auto keeping = Database::openPostgreSql(server.options(), pool);
  pool.idleLimit = milliseconds{0};
  const auto recycling = Database::openPostgreSql(server.options(), pool);
  for (Database* database : {keeping.get(), recycling.get()}) {
    const Connection a = database->connect();
    const Connection b = database->connect();
    const Connection c = database->connect();
  }
  EXPECT_EQ(backends(), 6);
  static_cast<void>(keeping->connect());
  const Connection last = recycling->connect();
  // A backend takes a moment to go.
  const auto end = std::chrono::steady_clock::now() + seconds{20};
  while (backends() > 4 && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  EXPECT_EQ(backends(), 4) << "three that may be kept and the one in use";
}

/// Directly and through PgBouncer.
class RestartTest : public PrivatePostgresTest, public ::testing::WithParamInterface<bool> {};

TEST_P(RestartTest, NothingAcknowledgedIsLost) {
  if (GetParam() && !PrivatePgBouncer::isAvailable()) {
    GTEST_SKIP() << PrivatePgBouncer::skipReason();
  }
  PrivatePostgres server;
  const auto bouncer = GetParam() ? std::make_unique<PrivatePgBouncer>(server, 4) : nullptr;
  const auto database = Database::openPostgreSql(bouncer ? bouncer->options() : server.options());
  database->connect().execute("CREATE TABLE done (id BIGINT)");

  std::atomic<std::int64_t> next{0};
  std::atomic<std::int64_t> successes{0};
  std::atomic<std::int64_t> failures{0};
  std::atomic<bool> isOver{false};
  std::mutex mutex;
  std::vector<std::int64_t> acknowledged;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      while (!isOver) {
        const std::int64_t id = ++next;
        try {
          database->transact([&](Connection& connection, Transaction& transaction) {
            transaction.lock("worker " + std::to_string(id % 2));
            connection.execute("INSERT INTO done VALUES ($1)", {id});
          });
          const std::lock_guard lock(mutex);
          acknowledged.push_back(id);
          ++successes;
        } catch (const Error& e) {
          EXPECT_EQ(e.code(), ErrorCode::Unavailable) << e.what();
          ++failures;
          // As a caller would, and so that the machine is left to the server that starts.
          std::this_thread::sleep_for(milliseconds{5});
        }
      }
    });
  }
  const auto waitForMore = [&](const std::atomic<std::int64_t>& counter, std::int64_t count) {
    const std::int64_t goal = counter + count;
    const auto end = std::chrono::steady_clock::now() + seconds{60};
    while (counter < goal && std::chrono::steady_clock::now() < end) std::this_thread::yield();
    EXPECT_GE(counter, goal) << "it does not go on";
  };
  for (int round = 0; round < 2; ++round) {
    waitForMore(successes, 30);
    server.stop();
    waitForMore(failures, 4);
    server.start();
  }
  waitForMore(successes, 30);
  const auto killer = Database::openPostgreSql(server.socketOptions());
  for (int round = 0; round < 3; ++round) {
    (void)killer->connect().query(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = 'stratos'"
        " AND pid <> pg_backend_pid() AND backend_type = 'client backend'");
    waitForMore(successes, 20);
  }
  isOver = true;
  for (std::thread& thread : threads) thread.join();

  std::vector<std::int64_t> stored;
  for (const Row& row : killer->connect().query("SELECT id FROM done ORDER BY id")) {
    stored.push_back(row.integer("id"));
  }
  std::sort(acknowledged.begin(), acknowledged.end());
  EXPECT_TRUE(
      std::includes(stored.begin(), stored.end(), acknowledged.begin(), acknowledged.end()));
  EXPECT_EQ(std::adjacent_find(stored.begin(), stored.end()), stored.end()) << "done twice";
}

INSTANTIATE_TEST_SUITE_P(Ways, RestartTest, ::testing::Bool(), [](const auto& way) {
  return way.param ? "ThroughPgBouncer" : "Directly";
});

}  // namespace
}  // namespace stratos::db
