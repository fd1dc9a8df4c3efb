#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "stratos/base/export.hpp"
#include "stratos/base/log.hpp"
#include "stratos/db/database.hpp"

namespace stratos::db {

/// The name of the lock under which schema steps run (Transaction::lock); one for all histories.
inline constexpr std::string_view kMigrationLock = "stratos schema migration";

/// One step of a schema. `apply` runs in a transaction of its own.
struct Migration {
  std::int64_t version = 0;
  std::string name;
  std::function<void(Connection&)> apply;
};

/// One row of a history table, newest first.
struct AppliedMigration {
  std::int64_t id = 0;
  std::int64_t version = 0;
  std::optional<TimePoint> appliedAt;
};

/// Brings a schema up to date and keeps the history in a table of goose's layout.
///
/// Any number of processes may call migrate() at the same moment: they take a lock and the later
/// ones find nothing left to do. A version lower than the current one is never applied, as goose
/// does. Thread safety: all members may be called concurrently.
class STRATOS_EXPORT Migrator {
 public:
  /// `migrations` ascending by version. `table` is the history table (letters, digits, '_').
  Migrator(Database& database, std::string table, std::vector<Migration> migrations, LogSink& log);

  /// Applies what is missing; returns how many steps that was. Throws Error on the first failure;
  /// the steps before it stay applied.
  int migrate();
  /// The version goose would call current: newest row by id whose version was not undone; 0 when
  /// the history does not exist yet.
  [[nodiscard]] std::int64_t currentVersion();
  /// The version of the newest applied row by id, as the console shows it.
  [[nodiscard]] std::int64_t reportedVersion();
  [[nodiscard]] std::vector<AppliedMigration> history();
  /// The versions migrate() would apply.
  [[nodiscard]] std::vector<std::int64_t> pending();

 private:
  Database& database_;
  std::string table_;
  std::vector<Migration> migrations_;
  LogSink& log_;
};

/// True when the table (or the column of it) exists in the current schema.
[[nodiscard]] STRATOS_EXPORT bool hasTable(Connection& connection, std::string_view table);
[[nodiscard]] STRATOS_EXPORT bool hasColumn(Connection& connection, std::string_view table,
                                            std::string_view column);

}  // namespace stratos::db
