#pragma once

#include <memory>

#include "stratos/base/export.hpp"
#include "stratos/console/extension.hpp"

namespace stratos::ext {

/// The favourites of each user: `/pp/v1/favorites`. Unregistering an endpoint removes its
/// favourites, which the endpoint registry does.
[[nodiscard]] STRATOS_EXPORT std::unique_ptr<Extension> makeUserFavorites();

}  // namespace stratos::ext
