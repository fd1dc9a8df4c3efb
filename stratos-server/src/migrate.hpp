#pragma once

#include <iosfwd>

#include "lookup_chain.hpp"

namespace stratos::server {

enum class MigrateMode {
  Apply,
  DryRun,  ///< Lists what Apply would do.
  Status,  ///< Prints version, histories and what is pending.
};

/// Brings the database's schema up to date, or says what that would do without changing anything.
/// Needs the database settings only. Problems go to `errors`, one line each. Returns the exit
/// status, 0 or 1.
[[nodiscard]] int migrate(SettingMap environment, MigrateMode mode, std::ostream& out,
                          std::ostream& errors, const LookupPlaces& places = {});

}  // namespace stratos::server
