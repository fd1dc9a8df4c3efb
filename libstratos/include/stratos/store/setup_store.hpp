#pragma once

#include <map>
#include <string>
#include <string_view>

#include "stratos/base/export.hpp"
#include "stratos/db/database.hpp"
#include "stratos/store/user_store.hpp"

namespace stratos::store {

/// The code that opens the set-up wizard, encrypted, in `stratos_settings` until set-up is done.
inline constexpr std::string_view kSetupCodeSetting = "setup_code";
/// What set-up stores instead of the password of the local user, which is in `local_users` only.
inline constexpr std::string_view kPasswordPlaceholder = "--";

/// Stores what the set-up wizard has asked for in group `env` of upstream's `config` table, the
/// first local user if there is one, and makes the set-up code void: one transaction under a lock.
/// False, with nothing changed, when somebody else has completed the set-up meanwhile. A user of
/// that name who exists is left alone. Throws Error(InvalidArgument) that names a value of more
/// than 255 characters, which the table cannot hold; Error(Unavailable).
[[nodiscard]] STRATOS_EXPORT bool completeSetup(db::Database& database,
                                                const std::map<std::string, std::string>& values,
                                                const LocalUser* firstUser);

}  // namespace stratos::store
