#pragma once

#include <string>

#include "stratos/base/ids.hpp"

namespace stratos::store {

/// The name in stratos_settings that says that an endpoints file has brought this endpoint.
inline std::string declaredEndpointMark(const EndpointId& id) {
  return "declared_endpoint/" + id.str();
}

}  // namespace stratos::store
