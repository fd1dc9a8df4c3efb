#include "stratos/store/setup_store.hpp"

#include <algorithm>

#include "stratos/base/error.hpp"

namespace stratos::store {

namespace {

constexpr std::ptrdiff_t kColumnCharacters = 255;

void checkLengths(const std::map<std::string, std::string>& values) {
  for (const auto& [name, value] : values) {
    const auto characters = std::count_if(value.begin(), value.end(), [](char c) {
      return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
    });
    if (characters > kColumnCharacters) {
      throw Error(ErrorCode::InvalidArgument,
                  name + " is longer than 255 characters; set it in the environment instead");
    }
  }
}

bool isComplete(const std::map<std::string, std::string>& values) {
  const auto has = [&](const char* name) {
    const auto it = values.find(name);
    return it != values.end() && !it->second.empty();
  };
  const auto type = values.find("AUTH_ENDPOINT_TYPE");
  if (type != values.end() && type->second == "local") {
    return has("LOCAL_USER") && has("LOCAL_USER_PASSWORD");
  }
  return has("UAA_ENDPOINT") && has("CONSOLE_ADMIN_SCOPE");
}

}  // namespace

bool completeSetup(db::Database& database, const std::map<std::string, std::string>& values,
                   const LocalUser* firstUser) {
  checkLengths(values);
  bool done = false;
  database.transact([&](db::Connection& connection, db::Transaction& transaction) {
    transaction.lock("stratos set-up");
    std::map<std::string, std::string> stored;
    for (const db::Row& row :
         connection.query("SELECT name, value FROM config WHERE groupName = 'env'")) {
      stored[row.text("name")] = row.text("value");
    }
    done = !isComplete(stored);
    if (!done) return;
    for (const auto& [name, value] : values) {
      // The table has no key on SQLite, so the database cannot decide between insert and update.
      if (connection.execute("UPDATE config SET value = $1 WHERE groupName = 'env' AND name = $2",
                             {value, name}) == 0) {
        connection.execute("INSERT INTO config (groupName, name, value) VALUES ('env', $1, $2)",
                           {name, value});
      }
    }
    if (firstUser) insertLocalUser(connection, *firstUser);
    connection.execute("DELETE FROM stratos_settings WHERE name = $1",
                       {std::string{kSetupCodeSetting}});
  });
  return done;
}

}  // namespace stratos::store
