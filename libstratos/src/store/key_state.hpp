#pragma once

#include <string>
#include <vector>

#include "stratos/crypto/token_cipher.hpp"
#include "stratos/db/database.hpp"

namespace stratos::store {

inline constexpr const char* kWrongKey =
    "The database was written with another encryption key. Start with that key (ENCRYPTION_KEY, or "
    "the file that ENCRYPTION_KEY_VOLUME and ENCRYPTION_KEY_FILENAME name), or add it to "
    "ENCRYPTION_KEY_PREVIOUS when the key was changed on purpose.";

/// How a database is encrypted, from stratos_settings. A value.
struct KeyState {
  crypto::CipherFormat format = crypto::CipherFormat::Legacy;
  /// Of every key that a stored value may need: first the one to write with, last the one of all
  /// values in the old format. Empty until the database was opened with a key for the first time.
  std::vector<std::string> checkValues;
  friend bool operator==(const KeyState&, const KeyState&) = default;
};

/// One statement, so format and keys belong together. Throws Error(Internal) when the database was
/// not migrated.
[[nodiscard]] KeyState readKeyState(db::Connection& connection);
/// To be called in a transaction that holds the lock named kKeyStateLock.
void writeKeyState(db::Connection& connection, const KeyState& state);

inline constexpr const char* kKeyStateLock = "stratos_settings:encryption";

}  // namespace stratos::store
