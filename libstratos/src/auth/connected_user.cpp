#include "stratos/auth/connected_user.hpp"

#include <algorithm>

namespace stratos::auth {

bool ConnectedUser::hasScope(std::string_view scope) const {
  return !scope.empty() && scopes &&
         std::find(scopes->begin(), scopes->end(), scope) != scopes->end();
}

}  // namespace stratos::auth
