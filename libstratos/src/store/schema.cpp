#include "stratos/store/schema.hpp"

#include <algorithm>

#include "store/key_state.hpp"
#include "store/rows.hpp"
#include "store/upstream_schema.hpp"
#include "stratos/base/error.hpp"
#include "stratos/store/rekey.hpp"
#include "stratos/store/settings_store.hpp"

namespace stratos::store {

namespace {

/// What upstream's format adds to a text: its initial vector.
constexpr std::size_t kLegacyOverheadBytes = 16;

// The old format cannot tell a wrong key, so a database without check value is judged by its newest
// tokens, which are printable when the key is right. Several of them, so that one damaged row does
// not decide; short texts do not count, as they may look right by chance. Returns the key that
// reads most of them.
std::optional<crypto::EncryptionKey> findKeyOfTokens(db::Connection& connection,
                                                     const std::vector<crypto::EncryptionKey>& keys,
                                                     Random& random) {
  constexpr std::size_t kMinTextBytes = 12;
  const db::Rows rows = connection.query(
      "SELECT token_guid, auth_token FROM tokens ORDER BY last_updated DESC LIMIT 50");
  const auto isPrintable = [](char c) { return c >= 0x20 && c < 0x7F; };
  std::size_t evidence = 0;
  std::size_t most = 0;
  std::optional<crypto::EncryptionKey> best;
  for (const crypto::EncryptionKey& key : keys) {
    const crypto::TokenCipher cipher({key}, crypto::CipherFormat::Legacy, random);
    std::size_t readable = 0;
    for (const db::Row& row : rows) {
      const std::string stored = row.blob("auth_token");
      if (stored.size() < kLegacyOverheadBytes + kMinTextBytes) continue;
      ++evidence;
      try {
        const Secret text =
            cipher.decrypt(stored, authTokenIdentity(TokenId(row.text("token_guid"))));
        const std::string& plain = text.reveal();
        if (std::all_of(plain.begin(), plain.end(), isPrintable)) ++readable;
      } catch (const Error& e) {
        // Not this key, or a damaged row; any other failure is not ours to judge.
        if (e.code() != ErrorCode::Internal) throw;
      }
    }
    if (readable > most) {
      most = readable;
      best = key;
    }
  }
  if (evidence == 0) return keys.front();
  return best;
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
    transaction.liftStatementTimeout();
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

SchemaStatus readSchemaStatus(db::Database& database) {
  NullLogSink log;
  const auto describe = [](const std::vector<db::Migration>& known,
                           const std::vector<std::int64_t>& versions) {
    std::vector<PendingMigration> pending;
    for (const db::Migration& migration : known) {
      if (std::find(versions.begin(), versions.end(), migration.version) == versions.end())
        continue;
      pending.push_back({migration.version, migration.name});
    }
    return pending;
  };
  db::Migrator upstream(database, kUpstreamHistoryTable, upstreamMigrations(), log);
  db::Migrator own(database, kOwnHistoryTable, ownMigrations(), log);
  SchemaStatus status;
  status.upstreamVersion = upstream.currentVersion();
  status.upstreamHistory = upstream.history();
  status.ownHistory = own.history();
  status.upstreamPending = describe(upstreamMigrations(), upstream.pending());
  status.ownPending = describe(ownMigrations(), own.pending());
  db::Connection connection = database.connect();
  status.missingParts = missingUpstreamParts(connection, status.upstreamVersion);
  return status;
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

bool proveKeys(db::Database& database, const std::vector<crypto::EncryptionKey>& keys,
               Random& random) {
  NullLogSink log;
  if (db::Migrator(database, kUpstreamHistoryTable, {}, log).currentVersion() <
      kUpstreamSchemaVersion) {
    return false;
  }
  db::Connection connection = database.connect();
  bool fits = false;
  KeyState state;
  if (db::hasTable(connection, "stratos_settings")) state = readKeyState(connection);
  if (state.checkValues.empty()) {
    fits = findKeyOfTokens(connection, keys, random).has_value();
  } else {
    const crypto::TokenCipher cipher(keys, crypto::CipherFormat::Legacy, random);
    fits = cipher.follow(state.format, state.checkValues);
  }
  if (!fits) throw Error(ErrorCode::InvalidArgument, kWrongKey);
  return true;
}

crypto::TokenCipher openCipher(db::Database& database, std::vector<crypto::EncryptionKey> keys,
                               Random& random) {
  if (keys.empty()) throw Error(ErrorCode::InvalidArgument, "There is no encryption key");
  std::optional<crypto::EncryptionKey> key;
  {
    db::Connection connection = database.connect();
    if (readKeyState(connection).checkValues.empty()) {
      key = findKeyOfTokens(connection, keys, random);
      if (!key) throw Error(ErrorCode::InvalidArgument, kWrongKey);
    }
  }
  if (key) {
    (void)SettingsStore(database).insertIfAbsent(std::string(kKeyCheckSetting), key->checkValue());
  }
  crypto::TokenCipher cipher(std::move(keys), crypto::CipherFormat::Legacy, random);
  refreshCipher(database, cipher);
  return cipher;
}

}  // namespace stratos::store
