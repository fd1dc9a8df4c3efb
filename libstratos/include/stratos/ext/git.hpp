#pragma once

#include <memory>

#include "stratos/base/export.hpp"
#include "stratos/console/extension.hpp"

namespace stratos::ext {

/// Git hosts: the endpoint type `git` with the sub types `github` (github.com and GitHub
/// Enterprise) and `gitlab` (gitlab.com and own servers). Users connect with a personal access
/// token.
[[nodiscard]] STRATOS_EXPORT std::unique_ptr<Extension> makeGit();

}  // namespace stratos::ext
