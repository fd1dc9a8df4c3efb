#include "stratos/store/settings_store.hpp"

#include <algorithm>

#include "stratos/base/error.hpp"

namespace stratos::store {

namespace {

constexpr std::ptrdiff_t kConfigColumnCharacters = 255;

void checkLength(const std::string& text, const char* what) {
  // Characters, not bytes: all but the continuation bytes of UTF-8.
  const auto characters = std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  });
  if (characters > kConfigColumnCharacters) {
    throw Error(ErrorCode::InvalidArgument,
                std::string("The ") + what + " of a setting is longer than 255 characters");
  }
}

}  // namespace

SettingsStore::SettingsStore(db::Database& database) : database_(database) {}

std::map<std::string, std::string> SettingsStore::configGroup(const std::string& group) {
  db::Connection connection = database_.connect();
  std::map<std::string, std::string> values;
  for (const db::Row& row :
       connection.query("SELECT name, value FROM config WHERE groupName = $1", {group})) {
    values[row.text("name")] = row.text("value");
  }
  return values;
}

void SettingsStore::setConfig(const std::string& group, const std::string& name,
                              const std::string& value) {
  checkLength(group, "group");
  checkLength(name, "name");
  checkLength(value, "value");
  // The table has no key on SQLite, so the database cannot decide between insert and update.
  database_.transact([&](db::Connection& connection, db::Transaction& transaction) {
    transaction.lock("config:" + group + ":" + name);
    if (connection.execute("UPDATE config SET value = $1 WHERE groupName = $2 AND name = $3",
                           {value, group, name}) == 0) {
      connection.execute("INSERT INTO config (groupName, name, value) VALUES ($1, $2, $3)",
                         {group, name, value});
    }
  });
}

std::optional<std::string> SettingsStore::find(const std::string& name) {
  db::Connection connection = database_.connect();
  const auto row =
      connection.queryOne("SELECT value FROM stratos_settings WHERE name = $1", {name});
  if (!row) return std::nullopt;
  return row->text("value");
}

std::string SettingsStore::insertIfAbsent(const std::string& name, const std::string& value) {
  db::Connection connection = database_.connect();
  connection.execute(
      "INSERT INTO stratos_settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
      {name, value});
  const auto row =
      connection.queryOne("SELECT value FROM stratos_settings WHERE name = $1", {name});
  if (!row) throw Error(ErrorCode::Internal, "The setting " + name + " vanished");
  return row->text("value");
}

void SettingsStore::set(const std::string& name, const std::string& value) {
  db::Connection connection = database_.connect();
  connection.execute(
      "INSERT INTO stratos_settings (name, value) VALUES ($1, $2)"
      " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
      {name, value});
}

}  // namespace stratos::store
