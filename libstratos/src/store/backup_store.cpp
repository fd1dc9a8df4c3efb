#include "stratos/store/backup_store.hpp"

#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "store/rows.hpp"
#include "stratos/base/error.hpp"

namespace stratos::store {

namespace {

/// The column's default, which says nothing about the row.
constexpr const char* kNoTokenGuid = "default-token";

/// Runs one part of a restore; a failure says to the browser which part it was.
template <class Work>
void part(const char* publicMessage, Work&& work) {
  try {
    work();
  } catch (const Error& error) {
    if (error.code() == ErrorCode::Unavailable) throw;
    throw Error(ErrorCode::Internal, error.what(), publicMessage);
  }
}

void write(db::Connection& connection, const crypto::TokenCipher& cipher,
           const EndpointRecord& record) {
  const db::Parameters values = {
      record.id.str(),
      record.name,
      record.type,
      record.apiUrl,
      record.authorizationEndpoint,
      record.tokenEndpoint,
      record.dopplerLoggingEndpoint,
      record.skipSslValidation,
      record.clientId,
      db::Blob{cipher.encrypt(record.clientSecret, clientSecretIdentity(record.id))},
      record.ssoAllowed,
      record.subType,
      record.metadata,
      record.caCertificate,
      record.creator.str()};
  const std::int64_t changed = connection.execute(
      "UPDATE cnsis SET name = $2, cnsi_type = $3, api_endpoint = $4, auth_endpoint = $5,"
      " token_endpoint = $6, doppler_logging_endpoint = $7, skip_ssl_validation = $8,"
      " client_id = $9, client_secret = $10, sso_allowed = $11, sub_type = $12, meta_data = $13,"
      " ca_cert = $14, creator = $15 WHERE guid = $1",
      values);
  if (changed > 0) return;
  connection.execute(
      "INSERT INTO cnsis (guid, name, cnsi_type, api_endpoint, auth_endpoint, token_endpoint,"
      " doppler_logging_endpoint, skip_ssl_validation, client_id, client_secret, sso_allowed,"
      " sub_type, meta_data, ca_cert, creator)"
      " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
      values);
}

/// Replaces what the database holds for the record's owner and endpoint.
void write(db::Connection& connection, const crypto::TokenCipher& cipher,
           const TokenRecord& record) {
  connection.execute(
      "DELETE FROM tokens WHERE token_type = 'cnsi' AND cnsi_guid = $1 AND user_guid = $2",
      {record.endpoint.str(), record.owner.str()});
  const bool isLinked = !record.linkedTo.empty();
  const Secret linkedText{std::string(kLinkedText)};
  connection.execute(
      "INSERT INTO tokens (token_guid, cnsi_guid, user_guid, token_type, auth_token,"
      " refresh_token, token_expiry, disconnected, auth_type, meta_data, linked_token)"
      " VALUES ($1, $2, $3, 'cnsi', $4, $5, $6, $7, $8, $9, $10)",
      {record.id.str(), record.endpoint.str(), record.owner.str(),
       db::Blob{
           cipher.encrypt(isLinked ? linkedText : record.authToken, authTokenIdentity(record.id))},
       db::Blob{cipher.encrypt(isLinked ? linkedText : record.refreshToken,
                               refreshTokenIdentity(record.id))},
       record.expiry, record.disconnected, record.authType, record.metadata,
       record.linkedTo.str()});
}

bool isConsoleToken(db::Connection& connection, const UserId& owner, const TokenId& id) {
  return !id.empty() && id.str() != kNoTokenGuid &&
         connection
             .queryOne(
                 "SELECT token_guid FROM tokens"
                 " WHERE token_type = 'uaa' AND user_guid = $1 AND token_guid = $2",
                 {owner.str(), id.str()})
             .has_value();
}

bool canBeLinkedTo(db::Connection& connection, const UserId& owner, const TokenId& id) {
  return connection
      .queryOne(
          "SELECT token_guid FROM tokens WHERE user_guid = $1 AND token_guid = $2"
          " AND (linked_token IS NULL OR linked_token = '')",
          {owner.str(), id.str()})
      .has_value();
}

/// The id of the row in use for that owner and endpoint, if there is one.
TokenId currentId(db::Connection& connection, const TokenRecord& record) {
  const auto row = connection.queryOne(
      "SELECT token_guid FROM tokens WHERE token_type = 'cnsi' AND cnsi_guid = $1"
      " AND user_guid = $2 ORDER BY token_expiry DESC, token_guid LIMIT 1",
      {record.endpoint.str(), record.owner.str()});
  return row ? TokenId(row->text("token_guid")) : TokenId();
}

/// One record for each endpoint and owner: races of the past doubled some. The connected one wins,
/// then the one that lives longer.
std::vector<TokenRecord> withoutDoubles(const std::vector<TokenRecord>& tokens) {
  using Rank = std::tuple<bool, std::int64_t>;
  const auto rank = [](const TokenRecord& t) -> Rank { return {!t.disconnected, t.expiry}; };
  std::map<std::pair<EndpointId, UserId>, const TokenRecord*> best;
  for (const TokenRecord& token : tokens) {
    const TokenRecord*& slot = best[{token.endpoint, token.owner}];
    if (slot == nullptr || rank(token) >= rank(*slot)) slot = &token;
  }
  std::vector<TokenRecord> kept;
  for (const auto& [key, token] : best) kept.push_back(*token);
  return kept;
}

}  // namespace

BackupStore::BackupStore(db::Database& database, const crypto::TokenCipher& cipher, Random& random)
    : database_(database), cipher_(cipher), random_(random) {}

std::vector<EndpointRecord> BackupStore::readEndpoints(const std::set<EndpointId>& ids) {
  std::vector<EndpointRecord> records;
  const db::Rows rows = database_.connect().query(std::string("SELECT ") + kEndpointColumns +
                                                  " FROM cnsis ORDER BY guid");
  for (const db::Row& row : rows) {
    EndpointRecord record = readEndpointRow(row);
    if (!ids.contains(record.id)) continue;
    record.clientSecret =
        cipher_.decrypt(row.blob("client_secret"), clientSecretIdentity(record.id));
    records.push_back(std::move(record));
  }
  return records;
}

std::vector<TokenRecord> BackupStore::readTokens(
    const std::set<EndpointId>& ids, const std::function<void(const TokenRecord&)>& unreadable) {
  std::vector<TokenRecord> records;
  if (ids.empty()) return records;
  const db::Rows rows = database_.connect().query(
      "SELECT token_guid, user_guid, cnsi_guid, auth_token, refresh_token, token_expiry,"
      " disconnected, auth_type, meta_data, linked_token FROM tokens"
      " WHERE token_type = 'cnsi' ORDER BY cnsi_guid, user_guid, token_guid");
  for (const db::Row& row : rows) {
    TokenRecord record;
    record.endpoint = EndpointId(row.text("cnsi_guid"));
    if (!ids.contains(record.endpoint)) continue;
    record.id = TokenId(row.text("token_guid"));
    record.owner = UserId(row.text("user_guid"));
    record.expiry = row.integer("token_expiry");
    record.disconnected = row.boolean("disconnected");
    if (!row.text("auth_type").empty()) record.authType = row.text("auth_type");
    record.metadata = row.text("meta_data");
    record.linkedTo = TokenId(row.text("linked_token"));
    try {
      record.authToken = cipher_.decrypt(row.blob("auth_token"), authTokenIdentity(record.id));
      record.refreshToken =
          cipher_.decrypt(row.blob("refresh_token"), refreshTokenIdentity(record.id));
    } catch (const Error& error) {
      // Nobody can use such a row: the others are worth keeping without it.
      if (error.code() != ErrorCode::Internal) throw;
      unreadable(record);
      continue;
    }
    records.push_back(std::move(record));
  }
  return records;
}

RestoreReport BackupStore::restore(const std::vector<EndpointRecord>& endpoints,
                                   const std::vector<TokenRecord>& tokens) {
  RestoreReport report;
  database_.transact([&](db::Connection& connection, db::Transaction&) {
    report = {};  // The work may run again.
    if (connection.dialect() == db::Dialect::PostgreSql) {
      // Against connects and renewals meanwhile; a lock for each token could be too many for the
      // server. On SQLite the transaction is the only writer anyway.
      connection.execute("LOCK TABLE cnsis, tokens IN SHARE ROW EXCLUSIVE MODE");
    }
    part("Failed to overwrite endpoints", [&] {
      for (const EndpointRecord& record : endpoints) write(connection, cipher_, record);
    });
    report.endpoints = endpoints.size();
    part("Failed to overwrite token", [&] {
      std::vector<TokenRecord> links;
      for (TokenRecord& token : withoutDoubles(tokens)) {
        // A backup of the caller's own connection holds the token that a link led to.
        if (token.linkedTo.empty() && isConsoleToken(connection, token.owner, token.id)) {
          token.linkedTo = std::exchange(token.id, currentId(connection, token));
        }
        if (token.id.empty()) token.id = TokenId(makeUuid(random_));
        if (!token.linkedTo.empty()) {
          links.push_back(std::move(token));
          continue;
        }
        write(connection, cipher_, token);
        ++report.tokens;
      }
      // Last, since they may lead to tokens of the same file.
      for (const TokenRecord& link : links) {
        if (!canBeLinkedTo(connection, link.owner, link.linkedTo)) continue;
        write(connection, cipher_, link);
        ++report.tokens;
      }
    });
    report.leftOut = tokens.size() - report.tokens;
  });
  return report;
}

}  // namespace stratos::store
