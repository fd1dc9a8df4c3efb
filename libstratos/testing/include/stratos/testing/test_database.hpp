#pragma once

#include <memory>
#include <string>
#include <vector>

#include "stratos/db/database.hpp"

namespace stratos::testing {

/// A fresh, empty database for one test; it is dropped again when the object dies.
///
/// SQLite uses a temporary directory. PostgreSQL needs a server, which the environment variable
/// STRATOS_TEST_POSTGRES_URL names: `postgres://user:password@host:port/db`, where `?host=/dir`
/// stands for a Unix socket. The user must be allowed to create databases.
/// One thread at a time; databases opened from it must die first.
class TestDatabase {
 public:
  /// The dialects that can be tested here. SQLite always is one of them.
  [[nodiscard]] static std::vector<db::Dialect> available();
  [[nodiscard]] static bool isAvailable(db::Dialect dialect);
  /// What to say when a test is skipped because isAvailable() is false.
  [[nodiscard]] static const char* skipReason() noexcept;

  /// Throws Error when the dialect is not available or the database cannot be made.
  explicit TestDatabase(db::Dialect dialect);
  ~TestDatabase();
  TestDatabase(const TestDatabase&) = delete;
  TestDatabase& operator=(const TestDatabase&) = delete;

  /// Opens the database; may be called several times for several pools.
  [[nodiscard]] std::unique_ptr<db::Database> open(const db::PoolOptions& pool = {}) const;

  [[nodiscard]] db::Dialect dialect() const noexcept { return dialect_; }
  [[nodiscard]] const db::SqliteOptions& sqliteOptions() const noexcept { return sqlite_; }
  [[nodiscard]] const db::PostgreSqlOptions& postgreSqlOptions() const noexcept {
    return postgreSql_;
  }
  /// The directory of the SQLite file; empty on PostgreSQL.
  [[nodiscard]] const std::string& directory() const noexcept { return directory_; }

 private:
  db::Dialect dialect_;
  std::string directory_;
  db::SqliteOptions sqlite_;
  db::PostgreSqlOptions postgreSql_;
};

}  // namespace stratos::testing
