#include "rekey.hpp"

#include <cstdlib>
#include <filesystem>
#include <ostream>
#include <stop_token>

#include "server_config.hpp"
#include "settings.hpp"
#include "signals.hpp"
#include "storage.hpp"
#include "stratos/base/error.hpp"
#include "stratos/crypto/random.hpp"
#include "stratos/store/rekey.hpp"
#include "stratos/store/schema.hpp"

namespace stratos::server {
namespace {

std::unique_ptr<db::Database> openExisting(DatabaseConfig config, const std::stop_token& stop) {
  config.deleteReason.reset();
  if (config.dialect == db::Dialect::Sqlite && !std::filesystem::exists(config.sqlite.file)) {
    throw Error(ErrorCode::InvalidArgument,
                "There is no database " + config.sqlite.file + "; SQLITE_DB_DIR names its folder");
  }
  NullLogSink silent;
  return openDatabase(config, silent, stop, {.total = std::chrono::milliseconds{0}});
}

// Throws when a row is left behind.
void run(const ServerConfig& config, const RekeyCommand& command, std::ostream& out,
         const std::stop_token& stop) {
  const auto database = openExisting(config.database, stop);
  NullLogSink silent;
  static_cast<void>(store::migrateSchema(*database, silent));
  crypto::SystemRandom random;
  const SystemClock clock;
  const char* format =
      command.format == crypto::CipherFormat::Gcm ? "AES-256-GCM" : "AES-CFB, as upstream reads it";
  out << "rekey: " << database->description() << ", to the key from " << config.keyOrigin << ", "
      << format << std::endl;
  store::RekeyOptions options;
  options.format = command.format;
  options.batchSize = command.batchSize;
  options.settle = command.wait;
  options.onProgress = [&out](const store::RekeyProgress& progress) {
    out << "rekey: " << progress.table << ": " << progress.done << " rewritten, "
        << progress.skipped << " as wanted already, " << progress.unreadable << " unreadable"
        << std::endl;
  };
  const store::RekeySummary summary =
      store::Rekeyer(*database, config.keys, random, clock, std::move(options)).run(stop);
  for (const store::UnreadableRow& row : summary.unreadable) {
    out << "rekey: unreadable, left as it is: " << row.table << " " << row.guid << "\n";
  }
  out << "rekey: finished, " << summary.done << " rows rewritten, " << summary.skipped
      << " as wanted already, " << summary.unreadable.size() << " unreadable" << std::endl;
  if (!summary.unreadable.empty()) {
    throw Error(ErrorCode::Internal,
                std::to_string(summary.unreadable.size()) +
                    " rows cannot be read with any of the keys and stay as they are (listed "
                    "above). Either add the key that they were made with to "
                    "ENCRYPTION_KEY_PREVIOUS and run rekey again, or let their users connect anew");
  }
}

}  // namespace

int rekey(SettingMap environment, const RekeyCommand& command, std::ostream& out, std::ostream& err,
          const LookupPlaces& places) {
  const SignalWatcher signals;
  try {
    LookupChain chain(std::move(environment), places);
    const Settings settings(chain);
    Warnings warnings;
    const ServerConfig config = loadServerConfig(settings, warnings);
    run(config, command, out, signals.stopToken());
    return EXIT_SUCCESS;
  } catch (const std::exception& e) {
    err << "stratos-server rekey: " << e.what() << std::endl;
    return EXIT_FAILURE;
  }
}

}  // namespace stratos::server
