#pragma once

#include <optional>
#include <string>
#include <vector>

#include "stratos/base/export.hpp"
#include "stratos/base/ids.hpp"
#include "stratos/base/secret.hpp"
#include "stratos/crypto/token_cipher.hpp"
#include "stratos/db/database.hpp"

namespace stratos::store {

/// A registered endpoint: one row of `cnsis`. A value.
struct EndpointRecord {
  EndpointId id;
  std::string name;
  std::string type;  ///< cf, k8s, metrics, helm, git
  std::string subType;
  std::string apiUrl;  ///< As registered, without trailing slashes.
  std::string authorizationEndpoint;
  std::string tokenEndpoint;
  std::string dopplerLoggingEndpoint;
  bool skipSslValidation = false;
  std::string clientId;
  Secret clientSecret;
  bool ssoAllowed = false;
  std::string metadata;       ///< Raw text of the column; often empty.
  std::string caCertificate;  ///< PEM, may be empty.
  UserId creator;             ///< Empty for an endpoint of the whole system.
};

/// The endpoint table. Implementations must be callable from any thread.
class STRATOS_EXPORT EndpointStore {
 public:
  virtual ~EndpointStore() = default;
  /// All endpoints, ordered by name and id. A row whose secret cannot be decrypted is listed with
  /// an empty secret.
  [[nodiscard]] virtual std::vector<EndpointRecord> list() = 0;
  [[nodiscard]] virtual std::optional<EndpointRecord> find(const EndpointId& id) = 0;
  /// Inserts. Throws Error(AlreadyExists) when the id is taken.
  virtual void insert(const EndpointRecord& record) = 0;
  /// Writes name, skip flag, SSO flag, client id and secret, CA certificate. False when there is no
  /// such row.
  virtual bool update(const EndpointRecord& record) = 0;
  virtual bool updateMetadata(const EndpointId& id, const std::string& metadata) = 0;
  /// Removes the endpoint, every user's tokens for it and favourites of it, and the mark of an
  /// endpoints file, in one transaction. False when it did not exist.
  virtual bool removeWithDependents(const EndpointId& id) = 0;
};

/// EndpointStore on SQL. The collaborators must outlive it.
class STRATOS_EXPORT SqlEndpointStore final : public EndpointStore {
 public:
  SqlEndpointStore(db::Database& database, const crypto::TokenCipher& cipher);
  [[nodiscard]] std::vector<EndpointRecord> list() override;
  [[nodiscard]] std::optional<EndpointRecord> find(const EndpointId& id) override;
  void insert(const EndpointRecord& record) override;
  bool update(const EndpointRecord& record) override;
  bool updateMetadata(const EndpointId& id, const std::string& metadata) override;
  bool removeWithDependents(const EndpointId& id) override;

 private:
  db::Database& database_;
  const crypto::TokenCipher& cipher_;
};

}  // namespace stratos::store
