#pragma once

#include <iosfwd>

#include "lookup_chain.hpp"

namespace stratos::server {

/// Prints one line per thing that a start needs: "ok" or "problem" with the way to mend it. Changes
/// nothing: a SQLite database is tried as a copy. Returns the exit status, 0 or 1.
[[nodiscard]] int check(SettingMap environment, std::ostream& out, const LookupPlaces& places = {});

}  // namespace stratos::server
