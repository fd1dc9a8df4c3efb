#pragma once

#include <memory>

#include "stratos/base/export.hpp"
#include "stratos/console/extension.hpp"

namespace stratos::ext {

/// Cloud Foundry: the endpoint type `cf`. Discovery asks `GET /` first and `/v2/info` second, so a
/// foundation without API v2 can be registered
/// (https://v3-apidocs.cloudfoundry.org/#get-api-root-links).
[[nodiscard]] STRATOS_EXPORT std::unique_ptr<Extension> makeCloudFoundry();

}  // namespace stratos::ext
