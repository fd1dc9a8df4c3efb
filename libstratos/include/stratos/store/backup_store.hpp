#pragma once

#include <cstddef>
#include <functional>
#include <set>
#include <vector>

#include "stratos/base/export.hpp"
#include "stratos/base/random.hpp"
#include "stratos/crypto/token_cipher.hpp"
#include "stratos/db/database.hpp"
#include "stratos/store/endpoint_store.hpp"
#include "stratos/store/token_store.hpp"

namespace stratos::store {

/// What a restore has done.
struct RestoreReport {
  std::size_t endpoints = 0;
  std::size_t tokens = 0;
  /// Tokens that were the same as another one of the file, and links to a token that does not exist
  /// in this database. What was stored for their users and endpoints stays.
  std::size_t leftOut = 0;
};

/// The rows of endpoints and tokens as a backup needs them: as they are stored, links not followed.
///
/// Thread safety: all members may be called concurrently.
/// Lifetime: the collaborators must outlive the store.
class STRATOS_EXPORT BackupStore {
 public:
  BackupStore(db::Database& database, const crypto::TokenCipher& cipher, Random& random);

  /// Those of the endpoints that exist, with their client secrets; one statement. Throws
  /// Error(Internal) that names the endpoint whose secret cannot be decrypted.
  [[nodiscard]] std::vector<EndpointRecord> readEndpoints(const std::set<EndpointId>& ids);
  /// Every user's tokens of those endpoints, disconnected ones included; one statement. `linkedTo`
  /// names another row, whose contents are not in this one. A row that cannot be decrypted is left
  /// out and told to `unreadable`.
  [[nodiscard]] std::vector<TokenRecord> readTokens(
      const std::set<EndpointId>& ids, const std::function<void(const TokenRecord&)>& unreadable);

  /// Writes all of it in one transaction or nothing. An endpoint of the same id is overwritten
  /// whole, the token of the same endpoint and owner is replaced; ids are kept, and made when
  /// empty. A record that bears the id of its owner's console token is stored as the link that it
  /// was. Throws Error: Unavailable, or Internal whose public message says which part failed.
  RestoreReport restore(const std::vector<EndpointRecord>& endpoints,
                        const std::vector<TokenRecord>& tokens);

 private:
  db::Database& database_;
  const crypto::TokenCipher& cipher_;
  Random& random_;
};

}  // namespace stratos::store
