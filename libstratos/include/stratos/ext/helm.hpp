#pragma once

#include <memory>

#include "stratos/base/export.hpp"
#include "stratos/console/extension.hpp"

namespace stratos::ext {

struct HelmOptions {
  /// ARTIFACT_HUB_DISABLED: the front end does not offer a hub, and none can be registered.
  bool artifactHubDisabled = false;
};

/// Charts: the endpoint type `helm` with the sub types `repo` (a chart repository) and `hub`
/// (Artifact Hub). Both are used without being connected; a private repository may be connected
/// with user name and password.
[[nodiscard]] STRATOS_EXPORT std::unique_ptr<Extension> makeHelm(HelmOptions options = {});

}  // namespace stratos::ext
