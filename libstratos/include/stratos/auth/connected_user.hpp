#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "stratos/base/export.hpp"
#include "stratos/base/ids.hpp"

namespace stratos::auth {

/// The scope that makes a Cloud Foundry user an administrator of the foundation.
inline constexpr std::string_view kCloudFoundryAdminScope = "cloud_controller.admin";
/// The scope that lets a console user manage endpoints of their own.
inline constexpr std::string_view kEndpointAdminScope = "stratos.endpointadmin";

/// A user as the front end sees one, of the console or of an endpoint. A value.
struct STRATOS_EXPORT ConnectedUser {
  std::string guid;
  std::string name;
  bool admin = false;
  /// Absent where the kind of token has no scopes; the wire then says null.
  std::optional<std::vector<std::string>> scopes;

  /// True when one of the scopes is exactly `scope`. An empty `scope` is held by nobody.
  [[nodiscard]] bool hasScope(std::string_view scope) const;
};

}  // namespace stratos::auth
