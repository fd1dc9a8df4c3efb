#include "migrate.hpp"

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>

#include "log_sink.hpp"
#include "server_config.hpp"
#include "settings.hpp"
#include "signals.hpp"
#include "sqlite_copy.hpp"
#include "storage.hpp"
#include "stratos/base/error.hpp"
#include "stratos/store/schema.hpp"

namespace stratos::server {
namespace {

namespace fs = std::filesystem;

// What an empty database has ahead of it.
store::SchemaStatus statusOfNothing() {
  store::SchemaStatus status;
  for (const db::Migration& step : store::upstreamMigrations()) {
    status.upstreamPending.push_back({step.version, step.name});
  }
  for (const db::Migration& step : store::ownMigrations()) {
    status.ownPending.push_back({step.version, step.name});
  }
  return status;
}

// The status of the database as it is; `place` is set for the reader.
store::SchemaStatus look(const DatabaseConfig& config, LogSink& log, std::string& place) {
  if (config.dialect == db::Dialect::PostgreSql) {
    // Whoever asks wants an answer now, so a server that is away is not waited for.
    const auto database = openDatabase(config, log, {}, {.total = std::chrono::milliseconds{0}});
    place = database->description();
    return store::readSchemaStatus(*database);
  }
  const fs::path file(config.sqlite.file);
  place = "SQLite, " + file.string();
  if (!fs::exists(file)) {
    place.append(" (does not exist yet)");
    return statusOfNothing();
  }
  if (fs::file_size(file) > SqliteCopy::kMaxBytes) {
    throw Error(ErrorCode::Unavailable, file.string() + " is too large to look at a copy of it");
  }
  const SqliteCopy copy(file);
  return store::readSchemaStatus(*copy.open());
}

void printPending(const store::SchemaStatus& status, std::ostream& out) {
  if (status.upstreamPending.empty() && status.ownPending.empty() && status.missingParts.empty()) {
    out << "nothing to apply\n";
    return;
  }
  out << "to apply:\n";
  // In the order in which they run: our first step records whether the database came from upstream.
  const auto printOwn = [&](bool first) {
    for (const store::PendingMigration& step : status.ownPending) {
      if ((step.version == 1) == first) {
        out << "  own " << step.version << "  " << step.name << "\n";
      }
    }
  };
  printOwn(true);
  for (const store::PendingMigration& step : status.upstreamPending) {
    out << "  " << step.version << "  " << step.name << "\n";
  }
  for (const std::string& part : status.missingParts) {
    out << "  add " << part << ", which the history says is there\n";
  }
  printOwn(false);
}

void printHistory(std::string_view title, const std::vector<db::AppliedMigration>& history,
                  std::ostream& out) {
  out << title << (history.empty() ? ": none\n" : ", newest first:\n");
  for (const db::AppliedMigration& row : history) {
    out << "  " << row.id << "  " << row.version;
    if (row.appliedAt) out << "  " << db::formatTimestamp(*row.appliedAt);
    out << "\n";
  }
}

int apply(const DatabaseConfig& config, LogSink& log, std::ostream& out) {
  const SignalWatcher signals;
  const auto database = openDatabase(config, log, signals.stopToken());
  const store::SchemaReport report = store::migrateSchema(*database, log);
  out << database->description() << ": version " << store::reportedSchemaVersion(*database) << ", "
      << report.upstreamApplied + report.ownApplied << " migrations applied\n";
  return EXIT_SUCCESS;
}

}  // namespace

int migrate(SettingMap environment, MigrateMode mode, std::ostream& out, std::ostream& errors,
            const LookupPlaces& places) {
  try {
    LookupChain chain(std::move(environment), places);
    const Settings settings(chain);
    Warnings warnings = chain.warnings();
    const LogConfig logConfig = loadLogConfig(settings, warnings);
    DescriptorLogSink log(logConfig.format, logConfig.level);
    DatabaseConfig config = loadDatabaseConfig(settings, warnings);
    for (const std::string& warning : warnings)
      errors << "stratos-server migrate: " << warning << "\n";
    // The setting that makes every start begin with an empty database is for starts only.
    config.deleteReason.reset();
    if (mode == MigrateMode::Apply) return apply(config, log, out);

    std::string place;
    const store::SchemaStatus status = look(config, log, place);
    out << "database: " << place << "\nversion: " << status.upstreamVersion << "\n";
    if (mode == MigrateMode::Status) {
      printHistory("history (goose_db_version)", status.upstreamHistory, out);
      printHistory("own history (stratos_schema_history)", status.ownHistory, out);
    }
    printPending(status, out);
    return EXIT_SUCCESS;
  } catch (const std::exception& e) {
    errors << "stratos-server migrate: " << e.what() << "\n";
  }
  return EXIT_FAILURE;
}

}  // namespace stratos::server
