#pragma once

#include <iosfwd>

#include "lookup_chain.hpp"

namespace stratos::server {

/// Asks the server that runs with the same settings on this machine for /pp/v1/ping, which tries
/// the database, and prints what it found in one line. Returns the exit status, 0 or 1.
[[nodiscard]] int health(SettingMap environment, std::ostream& out,
                         const LookupPlaces& places = {});

}  // namespace stratos::server
