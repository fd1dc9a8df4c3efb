#include "stratos/db/migrator.hpp"

#include <algorithm>
#include <set>

#include "stratos/base/error.hpp"

namespace stratos::db {

namespace {

std::string createHistorySql(Dialect dialect, const std::string& table) {
  if (dialect == Dialect::PostgreSql) {
    return "CREATE TABLE " + table +
           " (id serial NOT NULL, version_id bigint NOT NULL, is_applied boolean NOT NULL,"
           " tstamp timestamp NULL DEFAULT now(), PRIMARY KEY (id))";
  }
  return "CREATE TABLE " + table +
         " (id INTEGER PRIMARY KEY AUTOINCREMENT, version_id INTEGER NOT NULL,"
         " is_applied INTEGER NOT NULL, tstamp TIMESTAMP DEFAULT (datetime('now')))";
}

void insertVersion(Connection& connection, const std::string& table, std::int64_t version) {
  connection.execute("INSERT INTO " + table + " (version_id, is_applied) VALUES ($1, $2)",
                     {version, true});
}

// goose's rule: of each version the newest row counts, and the newest applied version wins.
std::int64_t readCurrentVersion(Connection& connection, const std::string& table) {
  std::set<std::int64_t> seen;
  for (const Row& row :
       connection.query("SELECT version_id, is_applied FROM " + table + " ORDER BY id DESC")) {
    const std::int64_t version = row.integer("version_id");
    if (!seen.insert(version).second) continue;
    if (row.boolean("is_applied")) return version;
  }
  throw Error(ErrorCode::Internal, "The table " + table + " names no applied version");
}

}  // namespace

Migrator::Migrator(Database& database, std::string table, std::vector<Migration> migrations,
                   LogSink& log)
    : database_(database), table_(std::move(table)), migrations_(std::move(migrations)), log_(log) {
  const auto isNameCharacter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  if (table_.empty() || !std::all_of(table_.begin(), table_.end(), isNameCharacter)) {
    throw Error(ErrorCode::InvalidArgument, "A history table needs a plain name");
  }
  const auto isNotAscending = [](const Migration& a, const Migration& b) {
    return a.version >= b.version;
  };
  if (std::adjacent_find(migrations_.begin(), migrations_.end(), isNotAscending) !=
      migrations_.end()) {
    throw Error(ErrorCode::InvalidArgument, "Migrations must ascend by version");
  }
}

int Migrator::migrate() {
  int applied = 0;
  bool done = false;
  // Each round looks again under the lock, since another process may have taken the last step.
  while (!done) {
    const Migration* step = nullptr;
    database_.transact([&](Connection& connection, Transaction& transaction) {
      step = nullptr;
      transaction.liftStatementTimeout();
      transaction.lock(kMigrationLock);
      if (!hasTable(connection, table_)) {
        connection.execute(createHistorySql(connection.dialect(), table_));
        insertVersion(connection, table_, 0);
      }
      const std::int64_t current = readCurrentVersion(connection, table_);
      const auto next = std::find_if(migrations_.begin(), migrations_.end(),
                                     [current](const Migration& m) { return m.version > current; });
      if (next == migrations_.end()) return;
      next->apply(connection);
      insertVersion(connection, table_, next->version);
      step = &*next;
    });
    done = step == nullptr;
    if (step != nullptr) {
      ++applied;
      log(log_, LogLevel::Info, "Database migration applied",
          {{"table", table_}, {"version", step->version}, {"name", step->name}});
    }
  }
  return applied;
}

std::int64_t Migrator::currentVersion() {
  Connection connection = database_.connect();
  return hasTable(connection, table_) ? readCurrentVersion(connection, table_) : 0;
}

std::int64_t Migrator::reportedVersion() {
  Connection connection = database_.connect();
  try {
    const auto row = connection.queryOne("SELECT version_id FROM " + table_ +
                                         " WHERE is_applied ORDER BY id DESC LIMIT 1");
    return row ? row->integer("version_id") : 0;
  } catch (const Error& e) {
    // The question is asked often and the table hardly ever missing, so that is looked at last.
    if (e.code() != ErrorCode::Internal || hasTable(connection, table_)) throw;
    return 0;
  }
}

std::vector<AppliedMigration> Migrator::history() {
  Connection connection = database_.connect();
  std::vector<AppliedMigration> result;
  if (!hasTable(connection, table_)) return result;
  for (const Row& row : connection.query("SELECT id, version_id, is_applied, tstamp FROM " +
                                         table_ + " ORDER BY id DESC")) {
    if (!row.boolean("is_applied")) continue;
    result.push_back({row.integer("id"), row.integer("version_id"), row.timestamp("tstamp")});
  }
  return result;
}

std::vector<std::int64_t> Migrator::pending() {
  const std::int64_t current = currentVersion();
  std::vector<std::int64_t> versions;
  for (const Migration& migration : migrations_) {
    if (migration.version > current) versions.push_back(migration.version);
  }
  return versions;
}

bool hasTable(Connection& connection, std::string_view table) {
  const char* sql =
      connection.dialect() == Dialect::PostgreSql
          ? "SELECT 1 AS found FROM pg_catalog.pg_tables"
            " WHERE schemaname = current_schema() AND tablename = lower($1)"
          : "SELECT 1 AS found FROM sqlite_master WHERE type = 'table' AND lower(name) = lower($1)";
  return connection.queryOne(sql, {std::string(table)}).has_value();
}

bool hasColumn(Connection& connection, std::string_view table, std::string_view column) {
  const char* sql =
      connection.dialect() == Dialect::PostgreSql
          ? "SELECT 1 AS found FROM information_schema.columns WHERE table_schema = "
            "current_schema() AND table_name = lower($1) AND column_name = lower($2)"
          : "SELECT 1 AS found FROM pragma_table_info($1) WHERE lower(name) = lower($2)";
  return connection.queryOne(sql, {std::string(table), std::string(column)}).has_value();
}

}  // namespace stratos::db
