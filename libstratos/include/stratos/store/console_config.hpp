#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "stratos/base/export.hpp"
#include "stratos/db/database.hpp"

namespace stratos::store {

/// The value that a setting has without the database; empty when it is set nowhere.
using SettingLookup = std::function<std::optional<std::string>(std::string_view name)>;

enum class ConsoleConfigMove {
  NotNeeded,  ///< It was done before.
  Nothing,    ///< There was no old configuration; noted, so that nobody looks again.
  Moved,
  Ambiguous,  ///< There is more than one old row: nothing was changed.
};

struct ConsoleConfigMoveReport {
  ConsoleConfigMove outcome = ConsoleConfigMove::NotNeeded;
  std::vector<std::string> written;  ///< Names of the settings that were stored.
};

/// Moves what releases before 2.5 kept in the one row of `console_config` into group `env` of
/// `config`, once; a marker row in `config` says that it is still to be done. A value is stored
/// only if it differs from what `lookup` finds or, when that finds nothing, from the default. One
/// transaction under a lock, so any number of processes may call it at once. Run after
/// migrateSchema().
STRATOS_EXPORT ConsoleConfigMoveReport moveConsoleConfig(db::Database& database,
                                                         const SettingLookup& lookup);

}  // namespace stratos::store
