#pragma once

#include <string>
#include <string_view>

#include "stratos/base/error.hpp"
#include "stratos/http/message.hpp"

namespace stratos::console {

/// `{"status":"error","error":"<text>"}`, labelled text/plain as the wire has always had it.
[[nodiscard]] http::Response jsonError(int status, std::string_view text);

/// The answer to a failure that reached the top: the one map from codes to statuses.
[[nodiscard]] http::Response responseFor(const Error& error);

}  // namespace stratos::console
