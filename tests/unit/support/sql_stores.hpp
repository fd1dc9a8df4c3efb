#pragma once

#include <memory>
#include <string>

#include "stratos/base/log.hpp"
#include "stratos/crypto/random.hpp"
#include "stratos/crypto/token_cipher.hpp"
#include "stratos/store/endpoint_store.hpp"
#include "stratos/store/schema.hpp"
#include "stratos/store/session_store.hpp"
#include "stratos/store/token_store.hpp"
#include "stratos/store/user_store.hpp"
#include "stratos/testing/test_database.hpp"

namespace stratos::test {

/// The real stores on a fresh SQLite file.
class SqlStores {
 public:
  SqlStores() { store::migrateSchema(database(), log_); }

  [[nodiscard]] db::Database& database() { return *database_; }

 private:
  NullLogSink log_;
  testing::TestDatabase file_{db::Dialect::Sqlite};
  std::unique_ptr<db::Database> database_ = file_.open({.maxConnections = 64});

 public:
  crypto::SystemRandom random;
  crypto::TokenCipher cipher{
      {crypto::EncryptionKey::fromHex(
          "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")},
      crypto::CipherFormat::Gcm,
      random};
  store::SqlTokenStore tokens{database(), cipher, random};
  store::SqlEndpointStore endpoints{database(), cipher};
  store::SqlSessionStore sessions{database()};
  store::SqlLocalUserStore users{database()};
};

/// A Cloud Foundry endpoint whose tokens `uaa.<name>.example.com` renews.
inline store::EndpointRecord cfEndpoint(const std::string& name) {
  store::EndpointRecord record;
  record.id = EndpointId{name};
  record.name = name;
  record.type = "cf";
  record.apiUrl = "https://api." + name + ".example.com";
  record.authorizationEndpoint = "https://login." + name + ".example.com";
  record.tokenEndpoint = "https://uaa." + name + ".example.com";
  record.clientId = "cf";
  return record;
}

inline store::TokenRecord oauthToken(const std::string& owner, const std::string& endpoint,
                                     const std::string& access, const std::string& refresh,
                                     std::int64_t expiry) {
  store::TokenRecord token;
  token.owner = UserId{owner};
  token.endpoint = EndpointId{endpoint};
  token.authToken = Secret{access};
  token.refreshToken = Secret{refresh};
  token.expiry = expiry;
  return token;
}

}  // namespace stratos::test
