#pragma once

#include "stratos/base/export.hpp"
#include "stratos/base/url.hpp"
#include "stratos/http/headers.hpp"

namespace stratos::proxy {

/// What an endpoint gets of the browser's fields: an allow-list. Cookies, the XSRF token, control
/// fields, forwarding fields and anything hop-by-hop never leave the console.
[[nodiscard]] STRATOS_EXPORT http::Headers requestHeaders(const http::Headers& fromBrowser);

/// What the browser gets of an endpoint's fields: an allow-list, Location only within the
/// endpoint's own origin, never Set-Cookie. Types that a browser would run are delivered as text,
/// with nosniff and a sandbox, since they would run on the console's origin.
[[nodiscard]] STRATOS_EXPORT http::Headers responseHeaders(const http::Headers& fromEndpoint,
                                                           const Url& endpoint);

}  // namespace stratos::proxy
