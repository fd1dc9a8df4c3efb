#include "storage.hpp"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <filesystem>
#include <mutex>

#include "stratos/base/deadline.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"
#include "stratos/store/setup_store.hpp"

namespace stratos::server {
namespace {

constexpr std::size_t kSessionSecretBytes = 32;
constexpr const char* kSessionSecretName = "session_store_secret";
constexpr std::size_t kSetupCodeBytes = 16;
// What upstream's shipped configurations say for "not configured".
constexpr std::string_view kPlaceholder = "wheeee!";

void deleteSqlite(const std::string& file, const std::string& reason, LogSink& log) {
  bool existed = false;
  for (const char* suffix : {"", "-wal", "-shm", "-journal"}) {
    std::error_code error;
    existed = std::filesystem::remove(file + suffix, error) || existed;
    if (error) {
      throw Error(ErrorCode::Unavailable,
                  "Cannot delete " + file + suffix + ": " + error.message());
    }
  }
  if (existed) {
    stratos::log(log, LogLevel::Warning, "deleted the database",
                 {{"file", file}, {"reason", reason}});
  }
}

/// A random secret that is made once and kept, encrypted, under `name`.
Secret obtainSealed(store::SettingsStore& settings, const crypto::TokenCipher& cipher,
                    Random& random, const std::string& name, std::size_t bytes) {
  const std::string identity = "stratos_settings." + name;
  auto stored = settings.find(name);
  if (!stored) {
    const Secret fresh(toHex(random.bytes(bytes)));
    stored = settings.insertIfAbsent(name, toBase64(cipher.encrypt(fresh, identity)));
  }
  const auto sealed = fromBase64(*stored);
  if (!sealed) throw Error(ErrorCode::Internal, "The stored " + name + " is damaged");
  return cipher.decrypt(*sealed, identity);
}

void pauseFor(std::chrono::milliseconds time, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any condition;
  std::unique_lock lock(mutex);
  condition.wait_for(lock, stop, time, [] { return false; });
}

// Whether waiting cannot help: the server is up and does not want us. The driver tells no SQLSTATE
// for a connection that was never made, only the server's text; another language than English
// costs the wait.
bool isRefusal(std::string_view reason) {
  constexpr std::array<std::string_view, 5> kTexts = {
      "password authentication failed", "no password supplied", "no pg_hba.conf entry",
      "\" does not exist", "is not permitted to log in"};
  return std::any_of(kTexts.begin(), kTexts.end(), [&](std::string_view text) {
    return reason.find(text) != std::string_view::npos;
  });
}

}  // namespace

std::unique_ptr<db::Database> openDatabase(const DatabaseConfig& config, LogSink& log,
                                           const std::stop_token& stop, const DatabaseWait& wait) {
  if (config.dialect == db::Dialect::Sqlite) {
    if (config.deleteReason) deleteSqlite(config.sqlite.file, *config.deleteReason, log);
    return db::Database::openSqlite(config.sqlite, config.pool);
  }
  auto database = db::Database::openPostgreSql(config.postgreSql, config.pool);
  const Deadline deadline = Deadline::after(wait.total);
  for (bool first = true;; first = false) {
    if (stop.stop_requested()) {
      throw Error(ErrorCode::Cancelled, "Stopped while waiting for the database");
    }
    try {
      static_cast<void>(database->connect().query("SELECT 1"));
      return database;
    } catch (const Error& e) {
      if (e.code() != ErrorCode::Unavailable || isRefusal(e.what()) || deadline.hasPassed()) {
        if (config.service.empty()) throw;
        throw Error(e.code(), "The bound database service \"" + config.service +
                                  "\" cannot be used: " + e.what());
      }
      if (first) {
        stratos::log(log, LogLevel::Warning, "waiting for the database",
                     {{"database", database->description()},
                      {"service", config.service},
                      {"reason", e.what()}});
      }
    }
    pauseFor(wait.pause, stop);
  }
}

Secret obtainSessionSecret(const Secret& configured, store::SettingsStore& settings,
                           const crypto::TokenCipher& cipher, Random& random, LogSink& log) {
  if (!configured.empty() && configured.reveal() != kPlaceholder) return configured;
  if (!settings.find(kSessionSecretName)) {
    stratos::log(
        log, LogLevel::Info,
        "SESSION_STORE_SECRET is not set: making one and keeping it, encrypted, in the database");
  }
  return obtainSealed(settings, cipher, random, kSessionSecretName, kSessionSecretBytes);
}

Secret obtainSetupCode(store::SettingsStore& settings, const crypto::TokenCipher& cipher,
                       Random& random) {
  return obtainSealed(settings, cipher, random, std::string{store::kSetupCodeSetting},
                      kSetupCodeBytes);
}

}  // namespace stratos::server
