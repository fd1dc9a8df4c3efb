#include "stratos/store/session_store.hpp"

namespace stratos::store {

namespace {

std::int64_t toMilliseconds(TimePoint t) { return t.time_since_epoch().count(); }

TimePoint fromMilliseconds(std::int64_t count) {
  return TimePoint{std::chrono::milliseconds{count}};
}

}  // namespace

SqlSessionStore::SqlSessionStore(db::Database& database) : database_(database) {}

void SqlSessionStore::insert(const SessionRecord& record) {
  database_.connect().execute(
      "INSERT INTO stratos_sessions"
      " (id_hash, user_guid, token_expiry, xsrf_token, created_at, expires_at)"
      " VALUES ($1, $2, $3, $4, $5, $6)",
      {record.idHash, record.user.str(), record.tokenExpiry, record.xsrfToken.reveal(),
       toMilliseconds(record.createdAt), toMilliseconds(record.expiresAt)});
}

std::optional<SessionRecord> SqlSessionStore::find(const std::string& idHash) {
  const auto row = database_.connect().queryOne(
      "SELECT user_guid, token_expiry, xsrf_token, created_at, expires_at"
      " FROM stratos_sessions WHERE id_hash = $1",
      {idHash});
  if (!row) return std::nullopt;
  SessionRecord record;
  record.idHash = idHash;
  record.user = UserId(row->text("user_guid"));
  record.tokenExpiry = row->integer("token_expiry");
  record.xsrfToken = Secret(row->text("xsrf_token"));
  record.createdAt = fromMilliseconds(row->integer("created_at"));
  record.expiresAt = fromMilliseconds(row->integer("expires_at"));
  return record;
}

bool SqlSessionStore::update(const SessionRecord& record) {
  return database_.connect().execute(
             "UPDATE stratos_sessions SET user_guid = $1, token_expiry = $2, expires_at = $3"
             " WHERE id_hash = $4",
             {record.user.str(), record.tokenExpiry, toMilliseconds(record.expiresAt),
              record.idHash}) > 0;
}

bool SqlSessionStore::remove(const std::string& idHash) {
  return database_.connect().execute("DELETE FROM stratos_sessions WHERE id_hash = $1", {idHash}) >
         0;
}

std::int64_t SqlSessionStore::removeForUser(const UserId& user) {
  return database_.connect().execute("DELETE FROM stratos_sessions WHERE user_guid = $1",
                                     {user.str()});
}

std::int64_t SqlSessionStore::removeOthers(const UserId& user, const std::string& keptIdHash) {
  return database_.connect().execute(
      "DELETE FROM stratos_sessions WHERE user_guid = $1 AND id_hash <> $2",
      {user.str(), keptIdHash});
}

std::int64_t SqlSessionStore::removeExpired(TimePoint now) {
  return database_.connect().execute("DELETE FROM stratos_sessions WHERE expires_at < $1",
                                     {toMilliseconds(now)});
}

}  // namespace stratos::store
