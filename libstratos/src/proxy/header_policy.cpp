#include "stratos/proxy/header_policy.hpp"

#include <algorithm>
#include <array>

#include "stratos/base/encoding.hpp"

namespace stratos::proxy {

namespace {

constexpr std::array<std::string_view, 12> kRequestFields = {
    "accept",   "accept-language", "content-type",      "range",
    "if-match", "if-none-match",   "if-modified-since", "if-unmodified-since",
    "if-range", "traceparent",     "tracestate",        "prefer"};

constexpr std::array<std::string_view, 10> kResponseFields = {"content-disposition",
                                                              "content-language",
                                                              "content-range",
                                                              "accept-ranges",
                                                              "etag",
                                                              "last-modified",
                                                              "link",
                                                              "retry-after",
                                                              "expires",
                                                              "warning"};

template <std::size_t N>
bool listed(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::any_of(names.begin(), names.end(),
                     [&](std::string_view known) { return equalsIgnoreCase(known, name); });
}

/// Media types that a browser does not run when it shows them (and nosniff keeps it so).
bool isInert(std::string_view contentType) {
  // A browser takes the last type of a list (Fetch, "extract a MIME type").
  if (contentType.find(',') != std::string_view::npos) return false;
  const std::string_view raw = trim(contentType.substr(0, contentType.find(';')));
  if (equalsIgnoreCase(raw, "application/json")) return true;
  const std::string type = toLower(raw);
  if (type.ends_with("+json") || type == "text/plain" ||
      type == "application/octet-stream" || type == "application/gzip" ||
      type == "application/zip" || type == "application/x-yaml" || type == "text/csv" ||
      type == "application/pdf") {
    return true;
  }
  return (type.starts_with("image/") && type != "image/svg+xml") || type.starts_with("audio/") ||
         type.starts_with("video/");
}

}  // namespace

http::Headers requestHeaders(const http::Headers& fromBrowser) {
  http::Headers headers;
  for (const auto& [name, value] : fromBrowser) {
    if (listed(kRequestFields, name)) headers.add(name, value);
  }
  headers.set("User-Agent", "stratos");
  return headers;
}

http::Headers responseHeaders(const http::Headers& fromEndpoint, const Url& endpoint) {
  http::Headers headers;
  for (const auto& [name, value] : fromEndpoint) {
    if (listed(kResponseFields, name)) headers.add(name, value);
  }
  if (const auto location = fromEndpoint.find("location")) {
    const auto url = Url::tryParse(*location);
    // Browsers read a backslash as a slash and drop tabs, so that `/\host` leaves the origin.
    const bool plain = std::none_of(location->begin(), location->end(), [](char c) {
      return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f || c == '\\';
    });
    const bool relative = plain && location->starts_with('/') && !location->starts_with("//");
    if (relative || (url && url->origin() == endpoint.origin())) {
      headers.set("Location", std::string{*location});
    }
  }
  if (const auto type = fromEndpoint.find("content-type")) {
    headers.set("Content-Type", isInert(*type) ? *type : "text/plain; charset=UTF-8");
  }
  headers.set("X-Content-Type-Options", "nosniff");
  headers.set("Content-Security-Policy", "sandbox");
  return headers;
}

}  // namespace stratos::proxy
