#pragma once

#include <string>

#include "console/services.hpp"
#include "stratos/auth/connected_user.hpp"

namespace stratos::console {

/// The info document of a signed-in user: three statements, however many endpoints there are, one
/// more for administrators, and one per distinct creator of personal endpoints.
[[nodiscard]] std::string infoDocument(Services& services, const auth::ConnectedUser& user);

/// `{"proxy_version","database_version"}`. Throws Error(Unavailable) when the database cannot say.
[[nodiscard]] std::string versionDocument(Services& services);

}  // namespace stratos::console
