#pragma once

#include "lookup_chain.hpp"

namespace stratos::server {

/// Runs the console until SIGTERM or SIGINT. Returns the exit status: 0, or 1 when it cannot start.
[[nodiscard]] int serve(SettingMap environment, const LookupPlaces& places = {});

}  // namespace stratos::server
