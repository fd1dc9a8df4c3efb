#pragma once

#include <optional>
#include <string>
#include <vector>

#include "stratos/base/clock.hpp"
#include "stratos/base/export.hpp"
#include "stratos/base/ids.hpp"
#include "stratos/base/random.hpp"
#include "stratos/base/secret.hpp"
#include "stratos/crypto/token_cipher.hpp"
#include "stratos/db/database.hpp"

namespace stratos::store {

/// A user's API key, without its secret. A value.
struct ApiKey {
  std::string guid;
  UserId user;
  std::string comment;
  std::optional<TimePoint> lastUsed{};
  std::optional<TimePoint> expiresAt{};  ///< Empty: never.
};

/// A secret of a new key: 48 random bytes in 64 characters of base64url, as upstream makes them.
[[nodiscard]] STRATOS_EXPORT Secret makeApiKeySecret(Random& random);

/// The API keys of all users (`api_keys`; what upstream's table has no place for is in
/// `stratos_api_keys`). Callable from any thread; all members throw Error(Unavailable) when the
/// database cannot be asked.
///
/// Our keys are stored as SHA-256 of their secret. Keys that upstream has made are stored in clear;
/// they work, and become hashes when they are used, but not before the database has left upstream's
/// ciphertext format: until then it may go back, and its keys have to work there.
class STRATOS_EXPORT ApiKeyStore {
 public:
  /// The collaborators must outlive it.
  ApiKeyStore(db::Database& database, const crypto::TokenCipher& cipher);

  void insert(const ApiKey& key, const Secret& secret, TimePoint now);
  /// The user's keys, by comment.
  [[nodiscard]] std::vector<ApiKey> listForUser(const UserId& user);
  /// The key of that secret; empty when there is none, or it has expired.
  [[nodiscard]] std::optional<ApiKey> findBySecret(const Secret& secret, TimePoint now);
  /// Writes the time of a use, at most once a minute for each key.
  void recordUse(const ApiKey& key, TimePoint at);
  /// False when the user has no such key.
  bool remove(const UserId& user, const std::string& guid);
  [[nodiscard]] bool hasKeys(const UserId& user);

 private:
  db::Database& database_;
  const crypto::TokenCipher& cipher_;
};

}  // namespace stratos::store
