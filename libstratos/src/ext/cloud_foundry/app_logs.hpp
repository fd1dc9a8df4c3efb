#pragma once

#include "stratos/console/extension.hpp"

namespace stratos::ext {

/// Adds `GET /api/v1/cloudfoundry/{endpoint}/apps/{app}/logs`.
void attachAppLogs(ExtensionHost& host);

}  // namespace stratos::ext
