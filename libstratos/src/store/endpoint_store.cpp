#include "stratos/store/endpoint_store.hpp"

#include <algorithm>
#include <tuple>

#include "store/declared_endpoint_mark.hpp"
#include "store/rows.hpp"
#include "stratos/base/error.hpp"

namespace stratos::store {

namespace {

std::string selectEndpoints() { return std::string("SELECT ") + kEndpointColumns + " FROM cnsis"; }

}  // namespace

SqlEndpointStore::SqlEndpointStore(db::Database& database, const crypto::TokenCipher& cipher)
    : database_(database), cipher_(cipher) {}

std::vector<EndpointRecord> SqlEndpointStore::list() {
  std::vector<EndpointRecord> records;
  for (const db::Row& row : database_.connect().query(selectEndpoints())) {
    EndpointRecord record = readEndpointRow(row);
    try {
      record.clientSecret =
          cipher_.decrypt(row.blob("client_secret"), clientSecretIdentity(record.id));
    } catch (const Error&) {
      // One unreadable secret must not hide all endpoints; find() reports it.
      record.clientSecret = Secret();
    }
    records.push_back(std::move(record));
  }
  // Here and not in the query, since each database sorts in its own way.
  std::sort(records.begin(), records.end(), [](const EndpointRecord& a, const EndpointRecord& b) {
    return std::tie(a.name, a.id) < std::tie(b.name, b.id);
  });
  return records;
}

std::optional<EndpointRecord> SqlEndpointStore::find(const EndpointId& id) {
  const auto row = database_.connect().queryOne(selectEndpoints() + " WHERE guid = $1", {id.str()});
  if (!row) return std::nullopt;
  EndpointRecord record = readEndpointRow(*row);
  record.clientSecret =
      cipher_.decrypt(row->blob("client_secret"), clientSecretIdentity(record.id));
  return record;
}

void SqlEndpointStore::insert(const EndpointRecord& record) {
  database_.connect().execute(
      "INSERT INTO cnsis (guid, name, cnsi_type, api_endpoint, auth_endpoint, token_endpoint,"
      " doppler_logging_endpoint, skip_ssl_validation, client_id, client_secret, sso_allowed,"
      " sub_type, meta_data, ca_cert, creator)"
      " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
      {record.id.str(), record.name, record.type, record.apiUrl, record.authorizationEndpoint,
       record.tokenEndpoint, record.dopplerLoggingEndpoint, record.skipSslValidation,
       record.clientId,
       db::Blob{cipher_.encrypt(record.clientSecret, clientSecretIdentity(record.id))},
       record.ssoAllowed, record.subType, record.metadata, record.caCertificate,
       record.creator.str()});
}

bool SqlEndpointStore::update(const EndpointRecord& record) {
  return database_.connect().execute(
             "UPDATE cnsis SET name = $1, skip_ssl_validation = $2, sso_allowed = $3,"
             " client_id = $4, client_secret = $5, ca_cert = $6 WHERE guid = $7",
             {record.name, record.skipSslValidation, record.ssoAllowed, record.clientId,
              db::Blob{cipher_.encrypt(record.clientSecret, clientSecretIdentity(record.id))},
              record.caCertificate, record.id.str()}) > 0;
}

bool SqlEndpointStore::updateMetadata(const EndpointId& id, const std::string& metadata) {
  return database_.connect().execute("UPDATE cnsis SET meta_data = $1 WHERE guid = $2",
                                     {metadata, id.str()}) > 0;
}

bool SqlEndpointStore::removeWithDependents(const EndpointId& id) {
  bool existed = false;
  database_.transact([&](db::Connection& connection, db::Transaction&) {
    existed = connection.execute("DELETE FROM cnsis WHERE guid = $1", {id.str()}) > 0;
    connection.execute("DELETE FROM tokens WHERE token_type = 'cnsi' AND cnsi_guid = $1",
                       {id.str()});
    connection.execute("DELETE FROM favorites WHERE endpoint_id = $1", {id.str()});
    connection.execute("DELETE FROM stratos_settings WHERE name = $1", {declaredEndpointMark(id)});
  });
  return existed;
}

}  // namespace stratos::store
