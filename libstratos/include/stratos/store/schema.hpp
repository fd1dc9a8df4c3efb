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

/// Brings both histories up to date under one lock; any number of processes may call it at once.
STRATOS_EXPORT SchemaReport migrateSchema(db::Database& database, LogSink& log);

/// The version shown to the front end. Throws Error(Unavailable) when it cannot be read.
[[nodiscard]] STRATOS_EXPORT std::int64_t reportedSchemaVersion(db::Database& database);

/// Chooses the format to write (Gcm for a database that we created, Legacy for one that came from
/// upstream until it is rekeyed; migrateSchema() has recorded which) and proves the key: throws
/// Error(InvalidArgument) with a text that says what to do when the database was written with
/// another key. Run after migrateSchema().
[[nodiscard]] STRATOS_EXPORT crypto::TokenCipher openCipher(db::Database& database,
                                                            std::vector<crypto::EncryptionKey> keys,
                                                            Random& random);

}  // namespace stratos::store
