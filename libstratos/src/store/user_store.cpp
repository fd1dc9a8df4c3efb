#include "stratos/store/user_store.hpp"

namespace stratos::store {

namespace {

constexpr const char* kSelect =
    "SELECT user_guid, user_name, password_hash, user_email, user_scope, given_name, family_name"
    " FROM local_users WHERE ";

std::optional<LocalUser> findWhere(db::Database& database, const char* condition,
                                   const std::string& value) {
  const auto row = database.connect().queryOne(std::string(kSelect) + condition, {value});
  if (!row) return std::nullopt;
  LocalUser user;
  user.id = UserId(row->text("user_guid"));
  user.name = row->text("user_name");
  user.passwordHash = row->blob("password_hash");
  user.email = row->text("user_email");
  user.scope = row->text("user_scope");
  user.givenName = row->text("given_name");
  user.familyName = row->text("family_name");
  return user;
}

}  // namespace

SqlLocalUserStore::SqlLocalUserStore(db::Database& database) : database_(database) {}

std::optional<LocalUser> SqlLocalUserStore::findByName(const std::string& name) {
  return findWhere(database_, "user_name = $1", name);
}

std::optional<LocalUser> SqlLocalUserStore::find(const UserId& id) {
  return findWhere(database_, "user_guid = $1", id.str());
}

bool SqlLocalUserStore::insertIfAbsent(const LocalUser& user) {
  db::Connection connection = database_.connect();
  return insertLocalUser(connection, user);
}

bool insertLocalUser(db::Connection& connection, const LocalUser& user) {
  return connection.execute(
             "INSERT INTO local_users (user_guid, password_hash, user_name, user_email,"
             " user_scope, given_name, family_name) VALUES ($1, $2, $3, $4, $5, $6, $7)"
             " ON CONFLICT (user_name) DO NOTHING",
             {user.id.str(), db::Blob{user.passwordHash}, user.name, user.email, user.scope,
              user.givenName, user.familyName}) > 0;
}

void SqlLocalUserStore::recordLogin(const UserId& id, TimePoint at) {
  database_.connect().execute("UPDATE local_users SET last_login = $1 WHERE user_guid = $2",
                              {db::formatTimestamp(at), id.str()});
}

void SqlLocalUserStore::updateProfile(const LocalUser& user) {
  database_.connect().execute(
      "UPDATE local_users SET user_email = $1, given_name = $2, family_name = $3"
      " WHERE user_guid = $4",
      {user.email, user.givenName, user.familyName, user.id.str()});
}

void SqlLocalUserStore::updatePassword(const UserId& id, const std::string& passwordHash) {
  database_.connect().execute("UPDATE local_users SET password_hash = $1 WHERE user_guid = $2",
                              {db::Blob{passwordHash}, id.str()});
}

std::vector<std::string> SqlLocalUserStore::listHashKinds() {
  std::vector<std::string> kinds;
  for (const db::Row& row : database_.connect().query(
           "SELECT DISTINCT substr(password_hash, 1, 7) AS kind FROM local_users")) {
    kinds.push_back(row.blob("kind"));
  }
  return kinds;
}

}  // namespace stratos::store
