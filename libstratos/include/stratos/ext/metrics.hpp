#pragma once

#include <memory>

#include "stratos/base/export.hpp"
#include "stratos/console/extension.hpp"

namespace stratos::ext {

/// Prometheus servers: the endpoint type `metrics`. Users connect with user name and password, or
/// with nothing; what the server measures is found out then and kept with the connection.
[[nodiscard]] STRATOS_EXPORT std::unique_ptr<Extension> makeMetrics();

}  // namespace stratos::ext
