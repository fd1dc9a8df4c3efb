#pragma once

#include <memory>

#include "stratos/base/export.hpp"
#include "stratos/console/extension.hpp"

namespace stratos::ext {

/// A user's own profile and password: `/pp/v1/users/:id` and `/pp/v1/users/:id/password`. A changed
/// password ends the user's other sessions.
[[nodiscard]] STRATOS_EXPORT std::unique_ptr<Extension> makeUserInfo();

}  // namespace stratos::ext
