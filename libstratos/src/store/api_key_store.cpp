#include "stratos/store/api_key_store.hpp"

#include "stratos/base/encoding.hpp"
#include "stratos/crypto/digest.hpp"

namespace stratos::store {

namespace {

constexpr std::size_t kSecretBytes = 48;
constexpr std::chrono::minutes kUseInterval{1};

constexpr const char* kSelect =
    "SELECT k.guid AS guid, k.user_guid AS user_guid, k.comment AS comment,"
    " k.last_used AS last_used, o.expires_at AS expires_at, o.guid AS own"
    " FROM api_keys k LEFT JOIN stratos_api_keys o ON o.guid = k.guid";

std::string hashOf(const Secret& secret) { return toHex(crypto::sha256(secret.reveal())); }

db::Value toValue(const std::optional<TimePoint>& time) {
  if (!time) return db::Null{};
  return toUnixSeconds(*time);
}

ApiKey readKey(const db::Row& row) {
  ApiKey key;
  key.guid = row.text("guid");
  key.user = UserId(row.text("user_guid"));
  key.comment = row.text("comment");
  key.lastUsed = row.timestamp("last_used");
  if (!row.isNull("expires_at")) key.expiresAt = fromUnixSeconds(row.integer("expires_at"));
  return key;
}

}  // namespace

Secret makeApiKeySecret(Random& random) { return Secret{toBase64Url(random.bytes(kSecretBytes))}; }

ApiKeyStore::ApiKeyStore(db::Database& database, const crypto::TokenCipher& cipher)
    : database_(database), cipher_(cipher) {}

void ApiKeyStore::insert(const ApiKey& key, const Secret& secret, TimePoint now) {
  database_.transact([&](db::Connection& connection, db::Transaction&) {
    connection.execute(
        "INSERT INTO api_keys (guid, secret, user_guid, comment) VALUES ($1, $2, $3, $4)",
        {key.guid, hashOf(secret), key.user.str(), key.comment});
    connection.execute(
        "INSERT INTO stratos_api_keys (guid, created_at, expires_at) VALUES ($1, $2, $3)",
        {key.guid, toUnixSeconds(now), toValue(key.expiresAt)});
  });
}

std::vector<ApiKey> ApiKeyStore::listForUser(const UserId& user) {
  std::vector<ApiKey> keys;
  for (const db::Row& row : database_.connect().query(
           std::string(kSelect) + " WHERE k.user_guid = $1 ORDER BY k.comment, k.guid",
           {user.str()})) {
    keys.push_back(readKey(row));
  }
  return keys;
}

std::optional<ApiKey> ApiKeyStore::findBySecret(const Secret& secret, TimePoint now) {
  if (secret.empty()) return std::nullopt;
  const std::string hash = hashOf(secret);
  // A row of our own table marks the hashes: the text of a hash is no secret that opens anything.
  const auto row = database_.connect().queryOne(std::string(kSelect) +
                                                    " WHERE (k.secret = $1 AND o.guid IS NOT NULL)"
                                                    " OR (k.secret = $2 AND o.guid IS NULL)",
                                                {hash, secret.reveal()});
  if (!row) return std::nullopt;
  ApiKey key = readKey(*row);
  if (key.expiresAt && *key.expiresAt <= now) return std::nullopt;
  if (row->isNull("own") && cipher_.writeFormat() != crypto::CipherFormat::Legacy) {
    database_.transact([&](db::Connection& connection, db::Transaction&) {
      // Nothing happens when another request was faster.
      if (connection.execute("UPDATE api_keys SET secret = $1 WHERE guid = $2 AND secret = $3",
                             {hash, key.guid, secret.reveal()}) > 0) {
        connection.execute(
            "INSERT INTO stratos_api_keys (guid, created_at) VALUES ($1, $2)"
            " ON CONFLICT (guid) DO NOTHING",
            {key.guid, toUnixSeconds(now)});
      }
    });
  }
  return key;
}

void ApiKeyStore::recordUse(const ApiKey& key, TimePoint at) {
  if (key.lastUsed && at - *key.lastUsed < kUseInterval) return;
  database_.connect().execute("UPDATE api_keys SET last_used = $1 WHERE guid = $2",
                              {db::formatTimestamp(at), key.guid});
}

bool ApiKeyStore::remove(const UserId& user, const std::string& guid) {
  bool removed = false;
  database_.transact([&](db::Connection& connection, db::Transaction&) {
    removed = connection.execute("DELETE FROM api_keys WHERE guid = $1 AND user_guid = $2",
                                 {guid, user.str()}) > 0;
    if (removed) connection.execute("DELETE FROM stratos_api_keys WHERE guid = $1", {guid});
  });
  return removed;
}

bool ApiKeyStore::hasKeys(const UserId& user) {
  return database_.connect()
      .queryOne("SELECT guid FROM api_keys WHERE user_guid = $1 LIMIT 1", {user.str()})
      .has_value();
}

}  // namespace stratos::store
