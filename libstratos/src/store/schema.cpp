#include "stratos/store/schema.hpp"

#include <algorithm>

#include "store/upstream_schema.hpp"
#include "stratos/base/error.hpp"
#include "stratos/store/settings_store.hpp"

namespace stratos::store {

namespace {

constexpr const char* kWrongKey =
    "The database was written with another encryption key. Start with that key (ENCRYPTION_KEY, or "
    "the file that ENCRYPTION_KEY_VOLUME and ENCRYPTION_KEY_FILENAME name), or add it to "
    "ENCRYPTION_KEY_PREVIOUS when the key was changed on purpose.";

std::string checkValueOf(const crypto::EncryptionKey& key, Random& random) {
  return crypto::TokenCipher({key}, crypto::CipherFormat::Gcm, random).checkValue();
}

// The old format cannot tell a wrong key, so a database without check value is judged by its newest
// token, which is printable when the key is right. Returns the key that reads it.
std::optional<crypto::EncryptionKey> findKeyOfTokens(db::Connection& connection,
                                                     const std::vector<crypto::EncryptionKey>& keys,
                                                     Random& random) {
  const auto row = connection.queryOne(
      "SELECT token_guid, auth_token FROM tokens ORDER BY last_updated DESC LIMIT 1");
  if (!row) return keys.front();
  const std::string stored = row->blob("auth_token");
  const auto isPrintable = [](char c) { return c >= 0x20 && c < 0x7F; };
  for (const crypto::EncryptionKey& key : keys) {
    const crypto::TokenCipher cipher({key}, crypto::CipherFormat::Legacy, random);
    try {
      const Secret text = cipher.decrypt(stored, "tokens.auth_token:" + row->text("token_guid"));
      const std::string& plain = text.reveal();
      if (std::all_of(plain.begin(), plain.end(), isPrintable)) return key;
    } catch (const Error& e) {
      // Not this key; any other failure is not ours to judge.
      if (e.code() != ErrorCode::Internal) throw;
    }
  }
  return std::nullopt;
}

}  // namespace

SchemaReport migrateSchema(db::Database& database, LogSink& log) {
  SchemaReport report;
  std::vector<db::Migration> own = ownMigrations();
  db::Migrator first(database, kOwnHistoryTable, {own.front()}, log);
  report.ownApplied = first.migrate();
  if (report.ownApplied > 0) {
    report.wasEmpty = SettingsStore(database).find(std::string(kCiphertextFormatSetting)) == "gcm";
  }
  db::Migrator upstream(database, kUpstreamHistoryTable, upstreamMigrations(), log);
  report.upstreamApplied = upstream.migrate();
  database.transact([](db::Connection& connection, db::Transaction& transaction) {
    transaction.lock(db::kMigrationLock);
    repairUpstreamSchema(connection);
  });
  report.ownApplied += db::Migrator(database, kOwnHistoryTable, std::move(own), log).migrate();

  const std::int64_t version = upstream.currentVersion();
  if (version > kUpstreamSchemaVersion) {
    stratos::log(log, LogLevel::Warning, "The database was migrated by a newer release",
                 {{"version", version}, {"known", kUpstreamSchemaVersion}});
  }
  return report;
}

std::int64_t reportedSchemaVersion(db::Database& database) {
  NullLogSink log;
  const std::int64_t version =
      db::Migrator(database, kUpstreamHistoryTable, {}, log).reportedVersion();
  if (version == 0) {
    throw Error(ErrorCode::Unavailable, "The database has no schema yet");
  }
  return version;
}

crypto::TokenCipher openCipher(db::Database& database, std::vector<crypto::EncryptionKey> keys,
                               Random& random) {
  if (keys.empty()) throw Error(ErrorCode::InvalidArgument, "There is no encryption key");
  SettingsStore settings(database);
  const auto format = settings.find(std::string(kCiphertextFormatSetting));
  if (!format) throw Error(ErrorCode::Internal, "The database was not migrated");

  auto check = settings.find(std::string(kKeyCheckSetting));
  if (!check) {
    std::optional<crypto::EncryptionKey> key;
    {
      db::Connection connection = database.connect();
      key = findKeyOfTokens(connection, keys, random);
    }
    if (!key) throw Error(ErrorCode::InvalidArgument, kWrongKey);
    check = settings.insertIfAbsent(std::string(kKeyCheckSetting), checkValueOf(*key, random));
  }
  const bool isKnown = std::any_of(keys.begin(), keys.end(), [&](const auto& key) {
    return checkValueOf(key, random) == *check;
  });
  if (!isKnown) throw Error(ErrorCode::InvalidArgument, kWrongKey);
  return crypto::TokenCipher(
      std::move(keys), *format == "gcm" ? crypto::CipherFormat::Gcm : crypto::CipherFormat::Legacy,
      random);
}

}  // namespace stratos::store
