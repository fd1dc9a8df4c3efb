#include "stratos/db/database.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <iterator>
#include <random>
#include <thread>
#include <vector>

#include "db/driver.hpp"
#include "stratos/base/annotations.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"
#include "stratos/base/waiting.hpp"

namespace stratos::db {

namespace detail {

namespace {

using DriverConnectionPtr = std::unique_ptr<DriverConnection>;
using Steady = std::chrono::steady_clock;

// Idle connections, the last one used on top, and the number of all that are open.
class Pool {
 public:
  Pool(std::unique_ptr<Driver> driver, const PoolOptions& options)
      : driver_(std::move(driver)), options_(options) {
    if (options_.maxConnections == 0) {
      throw Error(ErrorCode::InvalidArgument, "A database pool needs at least one connection");
    }
  }

  [[nodiscard]] DriverConnectionPtr acquire() {
    const auto end = Steady::now() + options_.acquireTimeout;
    closeIdle();
    for (;;) {
      DriverConnectionPtr connection = takeIdleOrReserve(end);
      if (!connection) return openReserved();
      if (connection->isUsable()) return connection;
      connection.reset();
      forget();
    }
  }

  void giveBack(DriverConnectionPtr connection) noexcept {
    if (connection->isBroken()) {
      connection.reset();
      forget();
      return;
    }
    {
      const MutexLock lock(mutex_);
      idle_.push_back({std::move(connection), Steady::now()});
    }
    available_.notify_one();
  }

  void countStatement() noexcept { ++statements_; }
  [[nodiscard]] std::uint64_t statements() const noexcept { return statements_; }
  [[nodiscard]] const Driver& driver() const noexcept { return *driver_; }

 private:
  struct Idle {
    DriverConnectionPtr connection;
    Steady::time_point since;
  };

  // Closes what lies at the bottom for too long.
  void closeIdle() {
    std::vector<Idle> old;
    {
      const MutexLock lock(mutex_);
      const auto limit = Steady::now() - options_.idleLimit;
      const auto kept = std::find_if(idle_.begin(), idle_.end(),
                                     [&](const Idle& idle) { return idle.since > limit; });
      old.assign(std::make_move_iterator(idle_.begin()), std::make_move_iterator(kept));
      idle_.erase(idle_.begin(), kept);
    }
    for (Idle& idle : old) {
      idle.connection.reset();
      forget();
    }
  }

  // An idle connection, or nothing when the caller may open one, which is counted already.
  [[nodiscard]] DriverConnectionPtr takeIdleOrReserve(Steady::time_point end) {
    MutexLock lock(mutex_);
    while (idle_.empty() && open_ >= options_.maxConnections) {
      if (available_.wait_until(lock, end) == std::cv_status::timeout && idle_.empty() &&
          open_ >= options_.maxConnections) {
        throw Error(ErrorCode::Unavailable, "All " + std::to_string(options_.maxConnections) +
                                                " database connections are in use");
      }
    }
    if (idle_.empty()) {
      // Room for giveBack(), which must not fail.
      idle_.reserve(++open_);
      return nullptr;
    }
    DriverConnectionPtr connection = std::move(idle_.back().connection);
    idle_.pop_back();
    return connection;
  }

  [[nodiscard]] DriverConnectionPtr openReserved() {
    try {
      return driver_->open();
    } catch (...) {
      forget();
      throw;
    }
  }

  void forget() noexcept {
    {
      const MutexLock lock(mutex_);
      --open_;
    }
    available_.notify_one();
  }

  const std::unique_ptr<Driver> driver_;
  const PoolOptions options_;
  std::atomic<std::uint64_t> statements_{0};
  Mutex mutex_;
  std::condition_variable_any available_;
  std::vector<Idle> idle_ STRATOS_GUARDED_BY(mutex_);
  std::size_t open_ STRATOS_GUARDED_BY(mutex_) = 0;
};

}  // namespace

// One statement or transaction runs at most so often when others keep winning against it.
constexpr int kMaxAttempts = 8;

// The loser waits a moment, or both would meet again in step.
void pauseBeforeAttempt(int attempt) {
  static thread_local std::minstd_rand random{std::random_device{}()};
  constexpr int kMaxDoublings = 4;
  std::uniform_int_distribution<int> milliseconds(1, 4 << std::min(attempt, kMaxDoublings));
  std::this_thread::sleep_for(std::chrono::milliseconds{milliseconds(random)});
}

std::string statementName(std::string_view sql) {
  constexpr std::size_t kWords = 4;
  std::string name;
  std::size_t words = 0;
  bool inWord = false;
  for (const char c : sql) {
    const bool isWord = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '*' || c == ',';
    if (!isWord && c != ' ' && c != '\n') break;
    if (isWord && !inWord) {
      if (++words > kWords) break;
      if (!name.empty()) name.push_back(' ');
    }
    if (isWord) name.push_back(c);
    inWord = isWord;
  }
  return name.empty() ? "statement" : name;
}

}  // namespace detail

class Connection::Impl {
 public:
  explicit Impl(detail::Pool& pool) : pool_(pool) {}
  ~Impl() { giveBack(); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  /// Takes a connection of the pool. Not on a fiber: it may have to wait for the next statement
  /// behind others who wait for this connection.
  void hold() {
    if (Waiter::current() != nullptr) {
      throw Error(ErrorCode::Internal, "A database connection is held where nothing may block");
    }
    if (!driver_) driver_ = pool_.acquire();
  }

  [[nodiscard]] detail::Result run(std::string_view sql, const Parameters& parameters) {
    pool_.countStatement();
    return runBlocking([&] {
      const bool held = driver_ != nullptr;
      if (!held) driver_ = pool_.acquire();
      const Release release(*this, !held);
      return runHere(sql, parameters);
    });
  }
  /// After hold().
  [[nodiscard]] detail::DriverConnection& driver() noexcept { return *driver_; }
  [[nodiscard]] Dialect dialect() const noexcept { return pool_.driver().dialect(); }

  bool inTransaction = false;

 private:
  class Release {
   public:
    Release(Impl& connection, bool wanted) : connection_(connection), wanted_(wanted) {}
    ~Release() {
      if (wanted_) connection_.giveBack();
    }
    Release(const Release&) = delete;
    Release& operator=(const Release&) = delete;

   private:
    Impl& connection_;
    const bool wanted_;
  };

  void giveBack() noexcept {
    if (!driver_) return;
    // A transaction that is still open here could not be rolled back.
    if (inTransaction) driver_->markBroken();
    driver_->limitStatements(true);
    (void)driver_->takeConflict();
    pool_.giveBack(std::move(driver_));
  }

  [[nodiscard]] detail::Result runHere(std::string_view sql, const Parameters& parameters) {
    // In a transaction the whole transaction has to be repeated.
    if (inTransaction) return driver_->run(sql, parameters);
    for (int attempt = 1;; ++attempt) {
      try {
        return driver_->run(sql, parameters);
      } catch (const Error&) {
        if (!driver_->takeConflict() || attempt == detail::kMaxAttempts) throw;
      }
      detail::pauseBeforeAttempt(attempt);
    }
  }

  detail::Pool& pool_;
  std::unique_ptr<detail::DriverConnection> driver_;  ///< Null between statements of a fiber.
};

Connection::Connection(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Connection::~Connection() = default;
Connection::Connection(Connection&&) noexcept = default;
Connection& Connection::operator=(Connection&&) noexcept = default;

std::int64_t Connection::execute(std::string_view sql, const Parameters& parameters) {
  return impl_->run(sql, parameters).affected;
}

Rows Connection::query(std::string_view sql, const Parameters& parameters) {
  return impl_->run(sql, parameters).rows;
}

std::optional<Row> Connection::queryOne(std::string_view sql, const Parameters& parameters) {
  Rows rows = query(sql, parameters);
  if (rows.empty()) return std::nullopt;
  return std::move(rows.front());
}

Dialect Connection::dialect() const noexcept { return impl_->dialect(); }

Transaction::Transaction(Connection& connection) : connection_(connection) {
  if (connection_.impl_->inTransaction) {
    throw Error(ErrorCode::Internal, "The connection is in a transaction already");
  }
  connection_.impl_->hold();
  connection_.impl_->driver().begin();
  connection_.impl_->inTransaction = true;
}

Transaction::~Transaction() {
  detail::DriverConnection& driver = connection_.impl_->driver();
  driver.limitStatements(true);
  if (!open_) return;
  connection_.impl_->inTransaction = false;
  if (driver.isBroken()) return;
  try {
    driver.rollback();
  } catch (const std::exception&) {
    // Closing the connection rolls back as well.
    driver.markBroken();
  }
}

void Transaction::commit() {
  if (!open_) throw Error(ErrorCode::Internal, "The transaction has ended already");
  connection_.impl_->driver().commit();
  open_ = false;
  connection_.impl_->inTransaction = false;
}

void Transaction::lock(std::string_view key) {
  if (connection_.dialect() != Dialect::PostgreSql) return;
  (void)connection_.query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))",
                          {std::string(key)});
}

void Transaction::liftStatementTimeout() { connection_.impl_->driver().limitStatements(false); }

class Database::Impl {
 public:
  Impl(std::unique_ptr<detail::Driver> driver, const PoolOptions& options)
      : pool(std::move(driver), options) {}
  detail::Pool pool;
};

Database::Database(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Database::~Database() = default;

std::unique_ptr<Database> Database::openSqlite(const SqliteOptions& options,
                                               const PoolOptions& pool) {
  return std::unique_ptr<Database>(
      new Database(std::make_unique<Impl>(detail::makeSqliteDriver(options), pool)));
}

std::unique_ptr<Database> Database::openPostgreSql(const PostgreSqlOptions& options,
                                                   const PoolOptions& pool) {
#ifdef STRATOS_WITH_POSTGRESQL
  return std::unique_ptr<Database>(
      new Database(std::make_unique<Impl>(detail::makePostgreSqlDriver(options), pool)));
#else
  (void)options;
  (void)pool;
  throw Error(ErrorCode::InvalidArgument, "This build has no PostgreSQL driver");
#endif
}

Connection Database::connect() {
  auto connection = std::make_unique<Connection::Impl>(impl_->pool);
  if (Waiter::current() == nullptr) connection->hold();
  return Connection(std::move(connection));
}

void Database::transact(const std::function<void(Connection&, Transaction&)>& work) {
  if (Waiter::current() != nullptr) return runBlocking([&] { transact(work); });
  for (int attempt = 1;; ++attempt) {
    Connection connection = connect();
    try {
      Transaction transaction(connection);
      work(connection, transaction);
      transaction.commit();
      return;
    } catch (const std::exception&) {
      if (!connection.impl_->driver().takeConflict() || attempt == detail::kMaxAttempts) throw;
    }
    detail::pauseBeforeAttempt(attempt);
  }
}

Dialect Database::dialect() const noexcept { return impl_->pool.driver().dialect(); }

std::unique_ptr<Listener> Database::listen(const std::string& channel) const {
  return impl_->pool.driver().listen(channel);
}

const std::string& Database::description() const noexcept {
  return impl_->pool.driver().description();
}

std::uint64_t Database::statementCount() const noexcept { return impl_->pool.statements(); }

}  // namespace stratos::db
