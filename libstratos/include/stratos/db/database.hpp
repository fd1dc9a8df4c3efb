#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "stratos/base/export.hpp"
#include "stratos/base/log.hpp"
#include "stratos/base/secret.hpp"
#include "stratos/db/value.hpp"

namespace stratos::db {

enum class Dialect { Sqlite, PostgreSql };

/// A PostgreSQL server as its settings name it. Values reach the driver unquoted and unchanged.
struct PostgreSqlOptions {
  std::string host;
  int port = 5432;
  std::string user;
  Secret password;
  std::string database;
  std::string sslMode = "disable";  ///< disable, require, verify-ca or verify-full
  std::string sslCert;              ///< File names; may be empty.
  std::string sslKey;
  std::string sslRootCert;
  std::chrono::seconds connectTimeout{10};
  /// How long one statement may take before it is cancelled; zero for no limit. Kept by the client,
  /// so it also ends the wait for a server that fell silent, and leaves no state on the server.
  std::chrono::milliseconds statementTimeout{30'000};
};

struct SqliteOptions {
  std::string file;
  std::chrono::milliseconds busyTimeout{5'000};
};

struct PoolOptions {
  std::size_t maxConnections = 16;
  /// How long connect() waits for a free connection before it throws Error(Unavailable).
  std::chrono::milliseconds acquireTimeout{10'000};
  /// A connection that nobody used for so long is closed when the pool is used next.
  std::chrono::milliseconds idleLimit{300'000};
};

/// One connection, leased from a Database; goes back when it dies.
///
/// On a fiber (stratos/base/waiting.hpp) each statement leases one and gives it back, on a thread
/// that may block: whoever holds a connection never waits for such a thread. Statements in a row
/// may run on different ones.
///
/// SQL uses `$1`, `$2`, ... for parameters in both dialects. One thread at a time.
class STRATOS_EXPORT Connection {
 public:
  ~Connection();
  Connection(Connection&&) noexcept;
  Connection& operator=(Connection&&) noexcept;

  /// Runs a statement and returns the number of affected rows. Throws Error: AlreadyExists for a
  /// violated uniqueness, Unavailable when the connection is lost, the statement took too long, the
  /// database is locked, full or read-only, Internal otherwise. The text names the statement's
  /// first words, never a parameter. Outside a transaction a statement that lost against another
  /// one (SQLSTATE 40001, 40P01) is repeated a few times.
  std::int64_t execute(std::string_view sql, const Parameters& parameters = {});
  /// Runs a query and returns all rows. Throws like execute().
  [[nodiscard]] Rows query(std::string_view sql, const Parameters& parameters = {});
  /// The first row, if any.
  [[nodiscard]] std::optional<Row> queryOne(std::string_view sql,
                                            const Parameters& parameters = {});

  [[nodiscard]] Dialect dialect() const noexcept;

 private:
  friend class Database;
  friend class Transaction;
  class Impl;
  explicit Connection(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// A transaction on a connection; rolls back unless commit() was called. On SQLite it begins
/// IMMEDIATE, so two writers wait for each other instead of failing half way. On PostgreSQL it
/// begins READ COMMITTED whatever the server's default is, since after lock() it must see what the
/// previous holder of the lock committed.
/// One thread at a time; the connection must outlive it and is used through it meanwhile.
class STRATOS_EXPORT Transaction {
 public:
  /// Throws Error(Internal) on a fiber: Database::transact() is for both.
  explicit Transaction(Connection& connection);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  void commit();
  /// Holds a lock named by `key` until the transaction ends: pg_advisory_xact_lock() on PostgreSQL;
  /// on SQLite the write transaction itself is that lock.
  void lock(std::string_view key);
  /// Lets the statements of this transaction take as long as they need, for changes of the schema.
  void liftStatementTimeout();

 private:
  Connection& connection_;
  bool open_ = true;
};

/// Waits on a connection of its own for what transactions announce (PostgreSQL's NOTIFY).
/// wait() belongs to one thread at a time; interrupt() may be called from any.
class STRATOS_EXPORT Listener {
 public:
  virtual ~Listener() = default;
  /// The payloads that have come, in their order; waits for the first one, `timeout` at most, or
  /// until interrupt(). Throws Error(Unavailable) when the connection is lost, and with it
  /// whatever is announced from then on.
  [[nodiscard]] virtual std::vector<std::string> wait(std::chrono::milliseconds timeout) = 0;
  /// Ends the wait that goes on, or the next one.
  virtual void interrupt() noexcept = 0;
};

/// A database with its pool of connections. Closed connections are replaced when they are noticed;
/// a connection that failed is never handed out again.
///
/// Thread safety: all members may be called concurrently.
class STRATOS_EXPORT Database {
 public:
  /// Opens a SQLite file with WAL, busy_timeout and foreign keys on, creating it when absent
  /// (mode 0600). Throws Error(Unavailable) naming the file when it cannot be opened or written.
  [[nodiscard]] static std::unique_ptr<Database> openSqlite(const SqliteOptions& options,
                                                            const PoolOptions& pool = {});
  /// Prepares a pool; connects for the first time in connect(). Throws Error(InvalidArgument) for
  /// an option that cannot be right.
  [[nodiscard]] static std::unique_ptr<Database> openPostgreSql(const PostgreSqlOptions& options,
                                                                const PoolOptions& pool = {});
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// Leases a connection. Throws Error(Unavailable) when none can be had in time.
  [[nodiscard]] Connection connect();
  /// Runs `work` in a transaction and commits; anything thrown rolls back and goes on. `work` may
  /// run more than once: a transaction that lost against another one (SQLSTATE 40001, 40P01) is
  /// repeated from its start, up to eight times in all. So `work` changes nothing but the database
  /// and variables that it sets anew each time.
  void transact(const std::function<void(Connection&, Transaction&)>& work);

  /// Listens from now on. Null where nothing can be announced: on SQLite, and through a connection
  /// pooler, which may give the connection to somebody else. Throws Error(Unavailable) when the
  /// server cannot be reached.
  [[nodiscard]] std::unique_ptr<Listener> listen(const std::string& channel) const;

  [[nodiscard]] Dialect dialect() const noexcept;
  /// One line for the log: kind and place, no credentials.
  [[nodiscard]] const std::string& description() const noexcept;
  /// Statements run since the start, for tests of query discipline.
  [[nodiscard]] std::uint64_t statementCount() const noexcept;

 private:
  class Impl;
  explicit Database(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace stratos::db
