#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "stratos/db/database.hpp"

namespace stratos::takeover {

/// The key that upstream's packages publish, to which its test vectors belong.
inline constexpr const char* kKey =
    "B374A26A71490437AA024E4FADD5B497FDFF1A8EA6FF12F6FB65AF2720B59CCF";
inline constexpr std::size_t kSteps = 32;
inline constexpr std::int64_t kLastVersion = 20240818042100;

inline constexpr const char* kAdminGuid = "11111111-2222-4333-8444-555555555555";
inline constexpr const char* kAdminPassword = "correct horse battery";
inline constexpr std::int64_t kFarExpiry = 4102444800;  ///< The year 2100.

/// What upstream's history calls step `number`, 1 to 32.
[[nodiscard]] std::int64_t versionOf(std::size_t number);

/// Options of the rows that upstream leaves behind.
struct RowOptions {
  /// The local user's hash has upstream's cost, which takes a second to verify.
  bool costlyPassword = false;
};

/// Makes a database as a release of upstream left it: its own statements, its history, its rows in
/// its encryption. Knows nothing of our migrations.
class UpstreamDatabase {
 public:
  explicit UpstreamDatabase(db::Database& database);

  /// Takes the numbered steps of section 1.7 in that order and records them. One transaction.
  void apply(const std::vector<std::size_t>& steps);
  /// Steps 1 to `level`.
  void applyUpTo(std::size_t level);
  /// Databases made by 4.2 to 4.4.2 have this record for step 14.
  void useOtherChartsVersion();
  /// The trigger that 2.5 and 2.6 made in step 16.
  void addUserTrigger();
  /// Rows of every kind that the tables of this level can hold.
  void insertRows(const RowOptions& options = {});

 private:
  using Fields = std::vector<std::pair<std::string, db::Value>>;
  struct Token;

  /// Inserts what the table has columns for; nothing when there is no such table.
  void insert(db::Connection& connection, const std::string& table, const Fields& fields);
  [[nodiscard]] bool has(const std::string& table, const std::string& column) const;
  void readColumns(db::Connection& connection);
  void insertEndpoints(db::Connection& connection);
  void insertTokens(db::Connection& connection);
  void insertUsers(db::Connection& connection, const RowOptions& options);
  void insertTheRest(db::Connection& connection);
  /// By upstream's scheme with an initial vector of its own.
  [[nodiscard]] db::Blob encrypted(const std::string& text);

  db::Database& database_;
  std::map<std::string, std::set<std::string>> columns_;
  unsigned char ivCounter_ = 0;
};

/// Upstream's tables, columns, types, NOT NULL ("!") and keys, one table a line, as they are in the
/// database; with the columns sorted by name if asked for.
[[nodiscard]] std::string describeSchema(db::Database& database, bool sorted = false);
/// The same as section 1.8 of the reference says it for version 20240818042100.
[[nodiscard]] std::string expectedSchema(db::Dialect dialect, bool sorted = false);
/// Tables that are neither upstream's nor named like ours.
[[nodiscard]] std::vector<std::string> foreignTables(db::Database& database);
/// Upstream's indexes that are missing.
[[nodiscard]] std::vector<std::string> missingIndexes(db::Database& database);
/// Upstream's records, oldest first.
[[nodiscard]] std::vector<std::int64_t> history(db::Database& database);
/// The records of the steps 0 to 32.
[[nodiscard]] std::vector<std::int64_t> completeHistory();

}  // namespace stratos::takeover
