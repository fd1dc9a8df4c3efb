#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "stratos/base/export.hpp"
#include "stratos/base/ids.hpp"
#include "stratos/base/random.hpp"
#include "stratos/base/secret.hpp"
#include "stratos/crypto/token_cipher.hpp"
#include "stratos/db/database.hpp"

namespace stratos::store {

/// The value of `tokens.cnsi_guid` in a console (UAA login) token row.
inline constexpr std::string_view kConsoleEndpointGuid = "STRATOS";

/// A token of one user: for an endpoint, or for the console itself. A value.
struct TokenRecord {
  TokenId id;           ///< Empty until stored.
  UserId owner;         ///< The row's user; kSharedUserGuid for a shared connection.
  EndpointId endpoint;  ///< kConsoleEndpointGuid for a console token.
  std::string authType = "OAuth2";
  Secret authToken;
  Secret refreshToken;
  std::int64_t expiry = 0;  ///< Unix seconds; 0 when unknown or none.
  bool disconnected = false;
  std::string metadata;
  TokenId linkedTo;  ///< The row whose contents replace this one's; resolved by find*().
  /// Identifies what was read, for replaceIfUnchanged(): a digest of the stored ciphertext.
  std::string version;

  [[nodiscard]] bool isShared() const { return owner.str() == kSharedUserGuid; }
};

/// The token table. Implementations must be callable from any thread.
class STRATOS_EXPORT TokenStore {
 public:
  virtual ~TokenStore() = default;

  /// The token that `user` uses for `endpoint`: their own before a shared one, links followed (one
  /// level), disconnected rows left out. Of duplicates the one with the latest expiry. Throws
  /// Error(Internal) when the row cannot be decrypted.
  [[nodiscard]] virtual std::optional<TokenRecord> findForEndpoint(const UserId& user,
                                                                   const EndpointId& endpoint) = 0;
  /// The row itself, links followed as above. Disconnected rows are found, too.
  [[nodiscard]] virtual std::optional<TokenRecord> findById(const UserId& owner,
                                                            const TokenId& id) = 0;
  /// The console token of a user.
  [[nodiscard]] virtual std::optional<TokenRecord> findConsoleToken(const UserId& user) = 0;
  /// Every usable token of the user (own and shared, links followed) in at most two statements; a
  /// row that cannot be decrypted is left out and logged by the caller through `unreadable`.
  [[nodiscard]] virtual std::vector<TokenRecord> listForUser(
      const UserId& user, std::vector<EndpointId>* unreadable) = 0;

  /// Inserts or replaces the console token of record.owner; keeps the row's id. One transaction;
  /// duplicates of earlier races are removed. Returns what is stored now.
  virtual TokenRecord saveConsoleToken(const TokenRecord& record) = 0;
  /// Inserts or replaces the token of (record.endpoint, record.owner), whatever its auth type was.
  virtual TokenRecord saveEndpointToken(const TokenRecord& record) = 0;
  /// Writes tokens and expiry of row `record.id` if it still is what `record.version` says; returns
  /// the record with its new version, or empty when somebody else was faster or removed the row.
  [[nodiscard]] virtual std::optional<TokenRecord> replaceIfUnchanged(
      const TokenRecord& record) = 0;
  /// Deletes the token of (endpoint, owner); false when there was none.
  virtual bool removeForEndpoint(const UserId& owner, const EndpointId& endpoint) = 0;
  /// Empties the token of (endpoint, owner) and keeps its row, marked as disconnected by its user,
  /// until the user connects again; false when there was none.
  virtual bool markDisconnected(const UserId& owner, const EndpointId& endpoint) = 0;
  /// Whether such a row is there.
  [[nodiscard]] virtual bool wasDisconnected(const UserId& owner, const EndpointId& endpoint) = 0;
};

/// TokenStore on SQL. The collaborators must outlive it.
class STRATOS_EXPORT SqlTokenStore final : public TokenStore {
 public:
  SqlTokenStore(db::Database& database, const crypto::TokenCipher& cipher, Random& random);
  [[nodiscard]] std::optional<TokenRecord> findForEndpoint(const UserId& user,
                                                           const EndpointId& endpoint) override;
  [[nodiscard]] std::optional<TokenRecord> findById(const UserId& owner,
                                                    const TokenId& id) override;
  [[nodiscard]] std::optional<TokenRecord> findConsoleToken(const UserId& user) override;
  [[nodiscard]] std::vector<TokenRecord> listForUser(const UserId& user,
                                                     std::vector<EndpointId>* unreadable) override;
  TokenRecord saveConsoleToken(const TokenRecord& record) override;
  TokenRecord saveEndpointToken(const TokenRecord& record) override;
  [[nodiscard]] std::optional<TokenRecord> replaceIfUnchanged(const TokenRecord& record) override;
  bool removeForEndpoint(const UserId& owner, const EndpointId& endpoint) override;
  bool markDisconnected(const UserId& owner, const EndpointId& endpoint) override;
  [[nodiscard]] bool wasDisconnected(const UserId& owner, const EndpointId& endpoint) override;

 private:
  db::Database& database_;
  const crypto::TokenCipher& cipher_;
  Random& random_;
};

}  // namespace stratos::store
