#include "stratos/store/token_lease_store.hpp"

namespace stratos::store {

namespace {

/// Milliseconds since 1970 by the database's clock: the clocks of the processes may differ.
const char* nowExpression(db::Dialect dialect) {
  return dialect == db::Dialect::PostgreSql
             ? "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"
             : "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)";
}

}  // namespace

SqlTokenLeaseStore::SqlTokenLeaseStore(db::Database& database) : database_(database) {}

bool SqlTokenLeaseStore::tryAcquire(const UserId& owner, const TokenId& token,
                                    const std::string& holder, std::chrono::milliseconds life) {
  const std::string now = nowExpression(database_.dialect());
  return database_.connect().execute(
             "INSERT INTO stratos_token_leases (owner_guid, token_guid, holder, expires_at)"
             " VALUES ($1, $2, $3, " +
                 now +
                 " + $4) ON CONFLICT (owner_guid, token_guid) DO UPDATE"
                 " SET holder = excluded.holder, expires_at = excluded.expires_at"
                 " WHERE stratos_token_leases.holder = excluded.holder"
                 " OR stratos_token_leases.expires_at <= " +
                 now,
             {owner.str(), token.str(), holder, std::int64_t{life.count()}}) > 0;
}

void SqlTokenLeaseStore::release(const UserId& owner, const TokenId& token,
                                 const std::string& holder) {
  database_.connect().execute(
      "DELETE FROM stratos_token_leases"
      " WHERE owner_guid = $1 AND token_guid = $2 AND holder = $3",
      {owner.str(), token.str(), holder});
}

std::int64_t SqlTokenLeaseStore::removeExpired() {
  return database_.connect().execute(
      std::string("DELETE FROM stratos_token_leases WHERE expires_at <= ") +
      nowExpression(database_.dialect()));
}

}  // namespace stratos::store
