#pragma once

#include <iosfwd>

#include "lookup_chain.hpp"

namespace stratos::server {

enum class HealthQuestion {
  Ready,  ///< /readyz: can it serve? Tries the database.
  Live,   ///< /livez: does it answer at all?
};

/// Asks the server that runs with the same settings on this machine and prints what it found in one
/// line. Returns the exit status, 0 or 1.
[[nodiscard]] int health(SettingMap environment, HealthQuestion question, std::ostream& out,
                         const LookupPlaces& places = {});

}  // namespace stratos::server
