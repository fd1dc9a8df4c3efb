#pragma once

#include <map>
#include <optional>
#include <string>

#include "stratos/base/export.hpp"
#include "stratos/db/database.hpp"

namespace stratos::store {

/// Small named values: upstream's `config` table (group `env` is the first source of every setting)
/// and our own `stratos_settings`, which upstream never sees. Callable from any thread.
class STRATOS_EXPORT SettingsStore {
 public:
  explicit SettingsStore(db::Database& database);

  /// Everything in a group of upstream's `config` table.
  [[nodiscard]] std::map<std::string, std::string> configGroup(const std::string& group);
  /// Inserts or replaces; throws Error(InvalidArgument) above the column's 255 characters.
  void setConfig(const std::string& group, const std::string& name, const std::string& value);

  [[nodiscard]] std::optional<std::string> find(const std::string& name);
  /// Stores `value` unless `name` is there already; returns what is stored afterwards, so that of
  /// several processes starting at once all get the same.
  std::string insertIfAbsent(const std::string& name, const std::string& value);
  void set(const std::string& name, const std::string& value);

 private:
  db::Database& database_;
};

}  // namespace stratos::store
