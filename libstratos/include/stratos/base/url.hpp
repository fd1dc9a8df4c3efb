#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "stratos/base/export.hpp"

namespace stratos {

/// An absolute http, https, ws or wss URL (RFC 3986), kept as its raw parts: nothing is decoded or
/// re-encoded, so what was registered is what is sent.
///
/// A value; equality compares the parts after normalisation (scheme and host in lower case, default
/// port dropped).
class STRATOS_EXPORT Url {
 public:
  /// Parses `text`. Throws Error(InvalidArgument) that names what is wrong: no scheme, a scheme
  /// other than http, https, ws and wss, no host, a bad port, white space, control characters.
  [[nodiscard]] static Url parse(std::string_view text);
  /// Like parse(), but empty when `text` is no such URL.
  [[nodiscard]] static std::optional<Url> tryParse(std::string_view text);

  [[nodiscard]] const std::string& scheme() const noexcept { return scheme_; }  ///< lower case
  [[nodiscard]] const std::string& userInfo() const noexcept { return userInfo_; }
  /// Host name or address in lower case, an IPv6 address without its brackets.
  [[nodiscard]] const std::string& host() const noexcept { return host_; }
  /// The port written in the URL, or the scheme's default (80, 443).
  [[nodiscard]] std::uint16_t port() const noexcept;
  [[nodiscard]] bool hasDefaultPort() const noexcept;
  /// `host`, or `host:port` when the port was written and is not the default; IPv6 in brackets.
  /// This is the Host header field of RFC 9110 section 7.2.
  [[nodiscard]] std::string authority() const;
  /// `host[:port]` exactly as written apart from case, without user info.
  [[nodiscard]] std::string hostAsWritten() const;
  [[nodiscard]] const std::string& rawPath() const noexcept { return path_; }    ///< may be empty
  [[nodiscard]] const std::string& rawQuery() const noexcept { return query_; }  ///< without '?'
  [[nodiscard]] bool isSecure() const noexcept { return scheme_ == "https" || scheme_ == "wss"; }

  /// `scheme://authority`, for example "https://api.example.com:8443".
  [[nodiscard]] std::string origin() const;
  /// Path and query as they stand in a request line; "/" when the path is empty.
  [[nodiscard]] std::string requestTarget() const;
  /// The whole URL, without user info.
  [[nodiscard]] std::string str() const;

  /// A copy with another path and query (both raw); the fragment never survives.
  [[nodiscard]] Url withPath(std::string path, std::string query = {}) const;
  /// A copy with another host; port and everything else stay.
  [[nodiscard]] Url withHost(std::string host) const;
  /// A copy whose path has no trailing slashes.
  [[nodiscard]] Url withoutTrailingSlash() const;

  friend STRATOS_EXPORT bool operator==(const Url& a, const Url& b);

 private:
  Url() = default;
  std::string scheme_;
  std::string userInfo_;
  std::string host_;
  std::optional<std::uint16_t> port_;
  std::string path_;
  std::string query_;
};

}  // namespace stratos
