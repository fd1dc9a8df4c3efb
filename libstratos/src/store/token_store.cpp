#include "stratos/store/token_store.hpp"

#include <algorithm>
#include <map>
#include <tuple>

#include "store/rows.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"
#include "stratos/crypto/digest.hpp"

namespace stratos::store {

namespace {

constexpr const char* kConsoleType = "uaa";
constexpr const char* kEndpointType = "cnsi";

// A row `t` and the row `l` that it links to, if any. The link is looked up with the requesting
// user's GUID ($1), also for a shared row, and goes one level deep only.
constexpr const char* kSelect =
    "SELECT t.user_guid AS user_guid, t.cnsi_guid AS cnsi_guid, t.token_guid AS token_guid,"
    " t.auth_token AS auth_token, t.refresh_token AS refresh_token,"
    " t.token_expiry AS token_expiry, t.disconnected AS disconnected, t.auth_type AS auth_type,"
    " t.meta_data AS meta_data, t.linked_token AS linked_token,"
    " l.user_guid AS l_user_guid, l.token_guid AS l_token_guid, l.auth_token AS l_auth_token,"
    " l.refresh_token AS l_refresh_token, l.token_expiry AS l_token_expiry,"
    " l.auth_type AS l_auth_type, l.meta_data AS l_meta_data"
    " FROM tokens t LEFT JOIN tokens l ON l.token_guid = t.linked_token AND l.user_guid = $1"
    " AND l.disconnected = FALSE AND t.linked_token <> ''";

/// What a query found, not yet decrypted.
struct StoredToken {
  TokenRecord record;
  std::string authCipher;
  std::string refreshCipher;
  bool isDangling = false;  ///< Links to a row that does not exist.
};

std::string versionOf(const std::string& authCipher, const std::string& refreshCipher) {
  return toHex(
      crypto::sha256(std::to_string(authCipher.size()) + ":" + authCipher + refreshCipher));
}

StoredToken readStored(const db::Row& row) {
  StoredToken stored;
  TokenRecord& record = stored.record;
  record.owner = UserId(row.text("user_guid"));
  record.endpoint = EndpointId(row.text("cnsi_guid"));
  record.disconnected = row.boolean("disconnected");
  const bool isLinked = !row.text("linked_token").empty();
  stored.isDangling = isLinked && row.isNull("l_token_guid");
  const std::string prefix = isLinked ? "l_" : "";
  record.id = TokenId(row.text(prefix + "token_guid"));
  if (isLinked) {
    record.owner = UserId(row.text("l_user_guid"));
    record.linkedTo = record.id;
  }
  record.authType = row.text(prefix + "auth_type");
  if (record.authType.empty()) record.authType = "OAuth2";
  record.metadata = row.text(prefix + "meta_data");
  record.expiry = row.integer(prefix + "token_expiry");
  stored.authCipher = row.blob(prefix + "auth_token");
  stored.refreshCipher = row.blob(prefix + "refresh_token");
  record.version = versionOf(stored.authCipher, stored.refreshCipher);
  return stored;
}

TokenRecord decrypted(const crypto::TokenCipher& cipher, StoredToken stored) {
  TokenRecord record = std::move(stored.record);
  record.authToken = cipher.decrypt(stored.authCipher, authTokenIdentity(record.id));
  record.refreshToken = cipher.decrypt(stored.refreshCipher, refreshTokenIdentity(record.id));
  return record;
}

// Of two tokens for the same purpose, whether `a` is the one to use: the user's own before a shared
// one, the later expiry, and the id to make the choice the same everywhere.
bool isPreferred(const StoredToken& a, const StoredToken& b) {
  const auto rank = [](const StoredToken& s) {
    return std::make_tuple(!s.record.isShared(), s.record.expiry, s.record.id.str());
  };
  return rank(a) > rank(b);
}

std::vector<StoredToken> queryStored(db::Connection& connection, const std::string& condition,
                                     const db::Parameters& parameters) {
  std::vector<StoredToken> all;
  for (const db::Row& row : connection.query(kSelect + condition, parameters)) {
    StoredToken stored = readStored(row);
    if (!stored.isDangling) all.push_back(std::move(stored));
  }
  return all;
}

std::optional<TokenRecord> findBest(const crypto::TokenCipher& cipher, db::Connection& connection,
                                    const std::string& condition,
                                    const db::Parameters& parameters) {
  std::vector<StoredToken> all = queryStored(connection, condition, parameters);
  if (all.empty()) return std::nullopt;
  const auto best = std::min_element(all.begin(), all.end(), isPreferred);
  return decrypted(cipher, std::move(*best));
}

std::optional<TokenRecord> findRow(const crypto::TokenCipher& cipher, db::Connection& connection,
                                   const UserId& owner, const TokenId& id) {
  return findBest(cipher, connection, " WHERE t.user_guid = $1 AND t.token_guid = $2",
                  {owner.str(), id.str()});
}

// Replaces all rows of (type, endpoint, owner) by one that keeps the id of the row in use. Delete
// and insert, because rows that early races doubled cannot be told apart by any column.
TokenRecord replaceRows(db::Database& database, const crypto::TokenCipher& cipher, Random& random,
                        const std::string& type, const std::string& endpoint,
                        const TokenRecord& record) {
  if (record.owner.empty()) throw Error(ErrorCode::InvalidArgument, "A token needs a user");
  if (endpoint.empty()) throw Error(ErrorCode::InvalidArgument, "A token needs an endpoint");
  const bool isLinked = !record.linkedTo.empty();
  if (record.authToken.empty() && !isLinked) {
    throw Error(ErrorCode::InvalidArgument, "A token needs an access token");
  }
  const Secret linkedText{std::string(kLinkedText)};
  std::optional<TokenRecord> result;
  database.transact([&](db::Connection& connection, db::Transaction& transaction) {
    const std::string& owner = record.owner.str();
    transaction.lock("token:" + type + ":" + endpoint + ":" + owner);
    const db::Rows rows = connection.query(
        "SELECT token_guid, token_expiry FROM tokens"
        " WHERE token_type = $1 AND cnsi_guid = $2 AND user_guid = $3",
        {type, endpoint, owner});
    TokenId id;
    std::int64_t latest = 0;
    for (const db::Row& row : rows) {
      const std::int64_t expiry = row.integer("token_expiry");
      if (!id.empty() && expiry <= latest) continue;
      id = TokenId(row.text("token_guid"));
      latest = expiry;
    }
    if (id.empty()) id = TokenId(makeUuid(random));
    if (!rows.empty()) {
      connection.execute(
          "DELETE FROM tokens WHERE token_type = $1 AND cnsi_guid = $2 AND user_guid = $3",
          {type, endpoint, owner});
    }
    connection.execute(
        "INSERT INTO tokens (token_guid, cnsi_guid, user_guid, token_type, auth_token,"
        " refresh_token, token_expiry, disconnected, auth_type, meta_data, linked_token)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        {id.str(), endpoint, owner, type,
         db::Blob{cipher.encrypt(isLinked ? linkedText : record.authToken, authTokenIdentity(id))},
         db::Blob{
             cipher.encrypt(isLinked ? linkedText : record.refreshToken, refreshTokenIdentity(id))},
         record.expiry, record.disconnected, record.authType, record.metadata,
         record.linkedTo.str()});
    result = findRow(cipher, connection, record.owner, id);
    if (!result) {
      throw Error(ErrorCode::InvalidArgument, "The token links to a token that does not exist");
    }
  });
  return std::move(*result);
}

}  // namespace

SqlTokenStore::SqlTokenStore(db::Database& database, const crypto::TokenCipher& cipher,
                             Random& random)
    : database_(database), cipher_(cipher), random_(random) {}

std::optional<TokenRecord> SqlTokenStore::findForEndpoint(const UserId& user,
                                                          const EndpointId& endpoint) {
  db::Connection connection = database_.connect();
  return findBest(cipher_, connection,
                  " WHERE t.token_type = 'cnsi' AND t.cnsi_guid = $2 AND t.user_guid IN ($1, $3)"
                  " AND t.disconnected = FALSE",
                  {user.str(), endpoint.str(), std::string(kSharedUserGuid)});
}

std::optional<TokenRecord> SqlTokenStore::findById(const UserId& owner, const TokenId& id) {
  db::Connection connection = database_.connect();
  return findRow(cipher_, connection, owner, id);
}

std::optional<TokenRecord> SqlTokenStore::findConsoleToken(const UserId& user) {
  db::Connection connection = database_.connect();
  return findBest(cipher_, connection,
                  " WHERE t.token_type = 'uaa' AND t.cnsi_guid = $2 AND t.user_guid = $1",
                  {user.str(), std::string(kConsoleEndpointGuid)});
}

std::vector<TokenRecord> SqlTokenStore::listForUser(const UserId& user,
                                                    std::vector<EndpointId>* unreadable) {
  std::map<EndpointId, StoredToken> best;
  {
    db::Connection connection = database_.connect();
    for (StoredToken& stored :
         queryStored(connection,
                     " WHERE t.token_type = 'cnsi' AND t.user_guid IN ($1, $2)"
                     " AND t.disconnected = FALSE",
                     {user.str(), std::string(kSharedUserGuid)})) {
      const auto known = best.find(stored.record.endpoint);
      if (known == best.end()) {
        const EndpointId endpoint = stored.record.endpoint;
        best.emplace(endpoint, std::move(stored));
      } else if (isPreferred(stored, known->second)) {
        known->second = std::move(stored);
      }
    }
  }
  std::vector<TokenRecord> records;
  for (auto& [endpoint, stored] : best) {
    try {
      records.push_back(decrypted(cipher_, std::move(stored)));
    } catch (const Error&) {
      if (unreadable != nullptr) unreadable->push_back(endpoint);
    }
  }
  return records;
}

TokenRecord SqlTokenStore::saveConsoleToken(const TokenRecord& record) {
  return replaceRows(database_, cipher_, random_, kConsoleType, std::string(kConsoleEndpointGuid),
                     record);
}

TokenRecord SqlTokenStore::saveEndpointToken(const TokenRecord& record) {
  return replaceRows(database_, cipher_, random_, kEndpointType, record.endpoint.str(), record);
}

std::optional<TokenRecord> SqlTokenStore::replaceIfUnchanged(const TokenRecord& record) {
  std::optional<TokenRecord> result;
  database_.transact([&](db::Connection& connection, db::Transaction&) {
    result.reset();
    // SQLite needs no row lock: its transaction is the only writer.
    const std::string lock = connection.dialect() == db::Dialect::PostgreSql ? " FOR UPDATE" : "";
    const db::Parameters key = {record.id.str(), record.owner.str()};
    const db::Rows rows = connection.query(
        "SELECT auth_token, refresh_token FROM tokens"
        " WHERE token_guid = $1 AND user_guid = $2" +
            lock,
        key);
    const bool isUnchanged = std::any_of(rows.begin(), rows.end(), [&](const db::Row& row) {
      return versionOf(row.blob("auth_token"), row.blob("refresh_token")) == record.version;
    });
    if (!isUnchanged) return;
    const std::string auth = cipher_.encrypt(record.authToken, authTokenIdentity(record.id));
    const std::string refresh =
        cipher_.encrypt(record.refreshToken, refreshTokenIdentity(record.id));
    connection.execute(
        "UPDATE tokens SET auth_token = $3, refresh_token = $4, token_expiry = $5"
        " WHERE token_guid = $1 AND user_guid = $2",
        {record.id.str(), record.owner.str(), db::Blob{auth}, db::Blob{refresh}, record.expiry});
    result = record;
    result->version = versionOf(auth, refresh);
  });
  return result;
}

bool SqlTokenStore::removeForEndpoint(const UserId& owner, const EndpointId& endpoint) {
  return database_.connect().execute(
             "DELETE FROM tokens WHERE token_type = 'cnsi' AND cnsi_guid = $1 AND user_guid = $2",
             {endpoint.str(), owner.str()}) > 0;
}

bool SqlTokenStore::markDisconnected(const UserId& owner, const EndpointId& endpoint) {
  const db::Rows rows = database_.connect().query(
      "SELECT token_guid FROM tokens WHERE token_type = 'cnsi' AND cnsi_guid = $1"
      " AND user_guid = $2",
      {endpoint.str(), owner.str()});
  if (rows.empty()) return false;
  // The text that upstream stores, too.
  TokenRecord cleared;
  cleared.owner = owner;
  cleared.endpoint = endpoint;
  cleared.authToken = Secret{"cleared_token"};
  cleared.refreshToken = Secret{"cleared_token"};
  cleared.disconnected = true;
  static_cast<void>(saveEndpointToken(cleared));
  return true;
}

bool SqlTokenStore::wasDisconnected(const UserId& owner, const EndpointId& endpoint) {
  return !database_.connect()
              .query("SELECT token_guid FROM tokens WHERE token_type = 'cnsi' AND cnsi_guid = $1"
                     " AND user_guid = $2 AND disconnected = TRUE",
                     {endpoint.str(), owner.str()})
              .empty();
}

}  // namespace stratos::store
