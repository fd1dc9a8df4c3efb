#include "store/key_state.hpp"

#include "store/upstream_schema.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"

namespace stratos::store {

namespace {

void writeSetting(db::Connection& connection, std::string_view name, const std::string& value) {
  connection.execute(
      "INSERT INTO stratos_settings (name, value) VALUES ($1, $2)"
      " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
      {std::string(name), value});
}

}  // namespace

KeyState readKeyState(db::Connection& connection) {
  KeyState state;
  bool hasFormat = false;
  for (const db::Row& row :
       connection.query("SELECT name, value FROM stratos_settings WHERE name IN ($1, $2)",
                        {std::string(kCiphertextFormatSetting), std::string(kKeyCheckSetting)})) {
    const std::string value = row.text("value");
    if (row.text("name") == kCiphertextFormatSetting) {
      hasFormat = true;
      state.format = value == "gcm" ? crypto::CipherFormat::Gcm : crypto::CipherFormat::Legacy;
    } else {
      state.checkValues = split(value, ' ');
    }
  }
  if (!hasFormat) throw Error(ErrorCode::Internal, "The database was not migrated");
  return state;
}

void writeKeyState(db::Connection& connection, const KeyState& state) {
  std::string checkValues;
  for (const std::string& each : state.checkValues) {
    checkValues.append(checkValues.empty() ? "" : " ").append(each);
  }
  writeSetting(connection, kCiphertextFormatSetting,
               state.format == crypto::CipherFormat::Gcm ? "gcm" : "legacy");
  writeSetting(connection, kKeyCheckSetting, checkValues);
}

}  // namespace stratos::store
