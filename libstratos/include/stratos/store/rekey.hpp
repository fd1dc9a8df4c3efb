#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "stratos/base/clock.hpp"
#include "stratos/base/export.hpp"
#include "stratos/base/random.hpp"
#include "stratos/crypto/token_cipher.hpp"
#include "stratos/db/database.hpp"

namespace stratos::store {

/// Lets a cipher that openCipher() made follow a Rekeyer in another process: takes over the format
/// and the key to write with. One cheap statement; call it every few seconds. Throws
/// Error(InvalidArgument) when the database now needs a key that is not in the ring, and changes
/// nothing then.
STRATOS_EXPORT void refreshCipher(db::Database& database, const crypto::TokenCipher& cipher);

/// A row that no key of the ring reads. It is left as it is.
struct UnreadableRow {
  std::string table;
  std::string guid;  ///< Of the token or endpoint; the name of a setting.
  friend bool operator==(const UnreadableRow&, const UnreadableRow&) = default;
};

/// Rows of one pass so far.
struct RekeyProgress {
  std::string table;
  std::int64_t done = 0;        ///< Rewritten.
  std::int64_t skipped = 0;     ///< Were as wanted already.
  std::int64_t unreadable = 0;  ///< Left as they are.
};

struct RekeyOptions {
  /// Gcm, or Legacy for the way back to upstream.
  crypto::CipherFormat format = crypto::CipherFormat::Gcm;
  /// Rows that are read at once and, on SQLite, written in one transaction.
  std::size_t batchSize = 100;
  /// How long running servers may need to call refreshCipher(): rows are looked through once more
  /// when that time has passed since the change was announced. 0 when none runs.
  std::chrono::milliseconds settle{0};
  /// Entries of `stratos_settings` that hold base64 of a value that was encrypted with the identity
  /// "stratos_settings.<name>".
  std::vector<std::string> sealedSettings{"session_store_secret"};
  /// Called after each batch, on the thread of run(). What it throws ends the run.
  std::function<void(const RekeyProgress&)> onProgress{};
};

struct RekeySummary {
  std::int64_t done = 0;     ///< Rows rewritten; a row counts again when it was written meanwhile.
  std::int64_t skipped = 0;  ///< Rows that were as wanted before.
  std::vector<UnreadableRow> unreadable;
};

/// Re-encrypts everything that is stored encrypted (`tokens.auth_token`, `tokens.refresh_token`,
/// `cnsis.client_secret`, sealed settings) with the first key of the ring, in the wanted format,
/// while servers run.
///
/// How it stays safe at any moment, also when the process is killed:
///  - `stratos_settings` names the format to write and every key that a stored value may need:
///  first
///    the key to write with, last the key of all values in the old format (which carry no key id).
///    The announcement of a new key and format is one transaction, made before the first value is
///    written that way; a database opens only with a ring that holds all of the named keys, so a
///    ring that opens it reads all of it.
///  - A row is replaced only if it still holds the bytes that were read. A token that is renewed or
///    removed meanwhile is never overwritten or brought back; the next pass looks at it again.
///  - Nothing else is remembered: a value tells by its header whether it is as wanted, so a run
///    that was cut is simply repeated. The old format has no header, hence its values are never
///    told apart by key: a new key always goes together with Gcm, and only when no value needs an
///    earlier key any more are the values turned into Legacy, if that is wanted.
///  - Passes are repeated until one finds nothing to do after running servers have had time to
///    learn of the change. Only then the earlier keys are dropped from the list, in one transaction
///    that first makes sure that nobody has begun another change.
///
/// Thread safety: one thread at a time. Several processes may run at once; when they want different
/// things, the one that came first gives up.
class STRATOS_EXPORT Rekeyer {
 public:
  /// `keys`: the new one first, then every one that the database needs. The collaborators must
  /// outlive the rekeyer. The database must be migrated.
  Rekeyer(db::Database& database, std::vector<crypto::EncryptionKey> keys, Random& random,
          const Clock& clock, RekeyOptions options = {});

  /// Brings all rows to the wanted state; does nothing when they are there. Throws Error:
  ///  - InvalidArgument  the ring lacks a key that the database needs; nothing was changed
  ///  - Cancelled        `stop` was requested; run again to go on
  ///  - Unavailable      the database cannot be asked, another run has begun, or a server keeps
  ///                     writing in another way; run again to go on
  [[nodiscard]] RekeySummary run(const std::stop_token& stop = {});

 private:
  [[nodiscard]] RekeySummary convert(const crypto::TokenCipher& cipher, crypto::CipherFormat format,
                                     const std::stop_token& stop);

  db::Database& database_;
  std::vector<crypto::EncryptionKey> keys_;
  Random& random_;
  const Clock& clock_;
  RekeyOptions options_;
};

}  // namespace stratos::store
