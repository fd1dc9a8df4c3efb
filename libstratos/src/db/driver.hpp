#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "stratos/db/database.hpp"
#include "stratos/db/value.hpp"

namespace stratos::db::detail {

struct Result {
  Rows rows;
  std::int64_t affected = 0;
};

/// One open connection of either database. Errors are stratos::Error as Connection promises them.
/// One thread at a time.
class DriverConnection {
 public:
  virtual ~DriverConnection() = default;
  [[nodiscard]] virtual Result run(std::string_view sql, const Parameters& parameters) = 0;
  virtual void begin() = 0;
  virtual void commit() = 0;
  virtual void rollback() = 0;
  /// Whether an idle connection may be handed out; costs no round trip unless there is a doubt.
  [[nodiscard]] virtual bool isUsable() noexcept = 0;

  /// A lost connection, or one in an unknown state, must not go back to the pool.
  [[nodiscard]] bool isBroken() const noexcept { return broken_; }
  void markBroken() noexcept { broken_ = true; }

  /// Whether a statement has failed since the last call because another transaction won.
  [[nodiscard]] bool takeConflict() noexcept { return std::exchange(conflict_, false); }

  /// From now on the time limit of the options counts, or none.
  virtual void limitStatements(bool on) noexcept { (void)on; }

 protected:
  void noteConflict() noexcept { conflict_ = true; }

 private:
  bool broken_ = false;
  bool conflict_ = false;
};

/// Opens connections. Safe from any thread.
class Driver {
 public:
  virtual ~Driver() = default;
  [[nodiscard]] virtual std::unique_ptr<DriverConnection> open() const = 0;
  /// As Database::listen() promises.
  [[nodiscard]] virtual std::unique_ptr<Listener> listen(const std::string& channel) const {
    (void)channel;
    return nullptr;
  }
  [[nodiscard]] virtual Dialect dialect() const noexcept = 0;
  [[nodiscard]] virtual const std::string& description() const noexcept = 0;
};

/// Creates the file when absent and switches it to WAL.
[[nodiscard]] std::unique_ptr<Driver> makeSqliteDriver(const SqliteOptions& options);
[[nodiscard]] std::unique_ptr<Driver> makePostgreSqlDriver(const PostgreSqlOptions& options);

/// The first words of a statement, which name it in an error text.
[[nodiscard]] std::string statementName(std::string_view sql);

}  // namespace stratos::db::detail
