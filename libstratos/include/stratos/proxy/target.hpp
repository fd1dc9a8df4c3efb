#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "stratos/base/export.hpp"
#include "stratos/base/url.hpp"

namespace stratos::proxy {

/// The path to ask an endpoint for: `rawRest` below `basePath`. Doubled slashes collapse, dot
/// segments are resolved, a trailing slash goes, and every escape stays byte for byte. Empty when
/// the result would leave the base path, also through escaped dots and slashes: the caller answers
/// 400.
[[nodiscard]] STRATOS_EXPORT std::optional<std::string> joinPath(std::string_view basePath,
                                                                 std::string_view rawRest);

/// True for the routes that pass a request on to endpoints: handling one mostly waits for others.
/// `target` is a request target as it came, in origin or absolute form, judged as http::Router
/// matches it.
[[nodiscard]] STRATOS_EXPORT bool isProxied(std::string_view target) noexcept;

/// The host with its first label replaced (`api.`) or put in front (x-cap-api-host). Empty when the
/// label is not one that may be asked for: the token would go to a host of the caller's choice.
[[nodiscard]] STRATOS_EXPORT std::optional<std::string> overrideHost(const std::string& host,
                                                                     std::string_view label);

}  // namespace stratos::proxy
