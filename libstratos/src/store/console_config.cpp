#include "stratos/store/console_config.hpp"

#include <utility>

namespace stratos::store {

namespace {

constexpr const char* kMarkerCondition =
    " FROM config WHERE groupName = 'system' AND name = '__CONFIG_MIGRATION_NEEDED'";

struct OldValue {
  const char* name;
  std::string value;
  std::string defaultValue;
};

std::vector<OldValue> readOldValues(const db::Row& row) {
  const auto flag = [&row](const char* column) {
    return std::string(row.boolean(column) ? "true" : "false");
  };
  std::vector<OldValue> values = {
      {"UAA_ENDPOINT", row.text("uaa_endpoint"), ""},
      {"CONSOLE_ADMIN_SCOPE", row.text("console_admin_scope"), ""},
      {"CONSOLE_CLIENT", row.text("console_client"), ""},
      {"CONSOLE_CLIENT_SECRET", row.text("console_client_secret"), ""},
      {"AUTH_ENDPOINT_TYPE",
       row.isNull("auth_endpoint_type") ? "remote" : row.text("auth_endpoint_type"), ""},
      {"SKIP_SSL_VALIDATION", flag("skip_ssl_validation"), "false"},
  };
  if (row.boolean("use_sso")) values.push_back({"SSO_LOGIN", "true", ""});
  return values;
}

// On SQLite the table has no key that could decide between insert and update.
void store(db::Connection& connection, const std::string& name, const std::string& value) {
  if (connection.execute("UPDATE config SET value = $1 WHERE groupName = 'env' AND name = $2",
                         {value, name}) == 0) {
    connection.execute("INSERT INTO config (groupName, name, value) VALUES ('env', $1, $2)",
                       {name, value});
  }
}

}  // namespace

ConsoleConfigMoveReport moveConsoleConfig(db::Database& database, const SettingLookup& lookup) {
  const std::string marker = std::string("SELECT name") + kMarkerCondition;
  if (!database.connect().queryOne(marker)) return {};
  ConsoleConfigMoveReport report;
  database.transact([&](db::Connection& connection, db::Transaction& transaction) {
    report = {};
    transaction.lock("stratos console configuration");
    if (!connection.queryOne(marker)) return;
    const db::Rows rows = connection.query(
        "SELECT uaa_endpoint, console_admin_scope, console_client, console_client_secret,"
        " skip_ssl_validation, use_sso, auth_endpoint_type FROM console_config");
    if (rows.size() > 1) {
      report.outcome = ConsoleConfigMove::Ambiguous;
      return;
    }
    report.outcome = rows.empty() ? ConsoleConfigMove::Nothing : ConsoleConfigMove::Moved;
    for (const db::Row& row : rows) {
      for (const OldValue& old : readOldValues(row)) {
        if (old.value == lookup(old.name).value_or(old.defaultValue)) continue;
        store(connection, old.name, old.value);
        report.written.emplace_back(old.name);
      }
    }
    connection.execute("DELETE FROM console_config");
    connection.execute(std::string("DELETE") + kMarkerCondition);
  });
  return report;
}

}  // namespace stratos::store
