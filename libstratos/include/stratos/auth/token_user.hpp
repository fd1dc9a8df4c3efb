#pragma once

#include <optional>
#include <string_view>

#include "stratos/auth/connected_user.hpp"
#include "stratos/base/export.hpp"
#include "stratos/store/token_store.hpp"

namespace stratos::auth {

/// The user that an endpoint token stands for, as the front end shows it. A token that says nothing
/// about its user (opaque, or not decodable) gives a user named after the kind of token, so that
/// the endpoint does not look disconnected. Shared tokens give the shared user.
[[nodiscard]] STRATOS_EXPORT ConnectedUser userOfToken(const store::TokenRecord& token,
                                                       std::string_view endpointType);

}  // namespace stratos::auth
