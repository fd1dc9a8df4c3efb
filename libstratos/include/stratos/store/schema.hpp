#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "stratos/base/export.hpp"
#include "stratos/base/log.hpp"
#include "stratos/base/random.hpp"
#include "stratos/base/secret.hpp"
#include "stratos/crypto/token_cipher.hpp"
#include "stratos/db/database.hpp"
#include "stratos/db/migrator.hpp"

namespace stratos::store {

/// The newest schema version that upstream knows; we never write a higher one into its history.
inline constexpr std::int64_t kUpstreamSchemaVersion = 20240818042100;

/// Upstream's 32 migrations under their goose numbers, for the dialect of the connection they get.
[[nodiscard]] STRATOS_EXPORT std::vector<db::Migration> upstreamMigrations();
/// Our own tables (sessions, settings, missing indexes), kept in `stratos_schema_history`.
[[nodiscard]] STRATOS_EXPORT std::vector<db::Migration> ownMigrations();

struct SchemaReport {
  bool wasEmpty = false;  ///< There was no schema at all before.
  int upstreamApplied = 0;
  int ownApplied = 0;
};

/// A step that migrateSchema() would take.
struct PendingMigration {
  std::int64_t version = 0;
  std::string name;
};

/// Where a database stands, without having changed it.
struct SchemaStatus {
  std::int64_t upstreamVersion = 0;                   ///< As goose counts; 0 without a history.
  std::vector<db::AppliedMigration> upstreamHistory;  ///< Newest first.
  std::vector<db::AppliedMigration> ownHistory;       ///< Newest first.
  std::vector<PendingMigration> upstreamPending;
  std::vector<PendingMigration> ownPending;
  /// Tables and columns that the history says are there and that are not; they are added, too.
  std::vector<std::string> missingParts;
};

/// Reads what migrateSchema() would do. Changes nothing and takes no lock.
[[nodiscard]] STRATOS_EXPORT SchemaStatus readSchemaStatus(db::Database& database);

/// Brings both histories up to date under one lock; any number of processes may call it at once.
STRATOS_EXPORT SchemaReport migrateSchema(db::Database& database, LogSink& log);

/// The version shown to the front end. Throws Error(Unavailable) when it cannot be read.
[[nodiscard]] STRATOS_EXPORT std::int64_t reportedSchemaVersion(db::Database& database);

/// Chooses the format and the key to write with (Gcm for a database that we created, Legacy for one
/// that came from upstream; a Rekeyer changes both later) and proves the ring: throws
/// Error(InvalidArgument) with a text that says what to do when the database needs a key that is
/// not in it. The first key of the ring is written with only once a Rekeyer has made it the
/// database's key, so servers with the old and the new ring may run side by side. Run after
/// migrateSchema().
[[nodiscard]] STRATOS_EXPORT crypto::TokenCipher openCipher(db::Database& database,
                                                            std::vector<crypto::EncryptionKey> keys,
                                                            Random& random);

/// Proves the ring as openCipher() does, without changing anything; also before migrateSchema() has
/// run. A database of an older schema is not looked at: only its migration makes its tokens
/// readable. Throws Error(InvalidArgument) like openCipher(). Returns whether it was looked at.
STRATOS_EXPORT bool proveKeys(db::Database& database,
                              const std::vector<crypto::EncryptionKey>& keys, Random& random);

}  // namespace stratos::store
