#include "stratos/store/session_store.hpp"

namespace stratos::store {

namespace {

std::int64_t toMilliseconds(TimePoint t) { return t.time_since_epoch().count(); }

TimePoint fromMilliseconds(std::int64_t count) {
  return TimePoint{std::chrono::milliseconds{count}};
}

constexpr const char* kSelect =
    "SELECT id_hash, user_guid, token_expiry, xsrf_token, created_at, expires_at, public_id,"
    " last_seen_at, address, user_agent FROM stratos_sessions WHERE ";

SessionRecord readSession(const db::Row& row) {
  SessionRecord record;
  record.idHash = row.text("id_hash");
  record.user = UserId(row.text("user_guid"));
  record.tokenExpiry = row.integer("token_expiry");
  record.xsrfToken = Secret(row.text("xsrf_token"));
  record.createdAt = fromMilliseconds(row.integer("created_at"));
  record.expiresAt = fromMilliseconds(row.integer("expires_at"));
  record.publicId = row.text("public_id");
  record.lastSeenAt = fromMilliseconds(row.integer("last_seen_at"));
  record.address = row.text("address");
  record.userAgent = row.text("user_agent");
  return record;
}

}  // namespace

SqlSessionStore::SqlSessionStore(db::Database& database) : database_(database) {}

void SqlSessionStore::insert(const SessionRecord& record) {
  database_.connect().execute(
      "INSERT INTO stratos_sessions"
      " (id_hash, user_guid, token_expiry, xsrf_token, created_at, expires_at, public_id,"
      " last_seen_at, address, user_agent) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
      {record.idHash, record.user.str(), record.tokenExpiry, record.xsrfToken.reveal(),
       toMilliseconds(record.createdAt), toMilliseconds(record.expiresAt), record.publicId,
       toMilliseconds(record.lastSeenAt), record.address, record.userAgent});
}

std::optional<SessionRecord> SqlSessionStore::find(const std::string& idHash) {
  const auto row = database_.connect().queryOne(std::string(kSelect) + "id_hash = $1", {idHash});
  return row ? std::optional(readSession(*row)) : std::nullopt;
}

std::vector<SessionRecord> SqlSessionStore::listForUser(const UserId& user) {
  std::vector<SessionRecord> sessions;
  for (const db::Row& row : database_.connect().query(
           std::string(kSelect) + "user_guid = $1 ORDER BY created_at DESC, public_id",
           {user.str()})) {
    sessions.push_back(readSession(row));
  }
  return sessions;
}

bool SqlSessionStore::update(const SessionRecord& record) {
  return database_.connect().execute(
             "UPDATE stratos_sessions SET user_guid = $1, token_expiry = $2, expires_at = $3,"
             " last_seen_at = $4 WHERE id_hash = $5",
             {record.user.str(), record.tokenExpiry, toMilliseconds(record.expiresAt),
              toMilliseconds(record.lastSeenAt), record.idHash}) > 0;
}

bool SqlSessionStore::removeByPublicId(const UserId& user, const std::string& publicId) {
  return !publicId.empty() &&
         database_.connect().execute(
             "DELETE FROM stratos_sessions WHERE user_guid = $1 AND public_id = $2",
             {user.str(), publicId}) > 0;
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
