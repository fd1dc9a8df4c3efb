#include "stratos/base/url.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include <arpa/inet.h>

#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"

namespace stratos {
namespace {

[[noreturn]] void refuse(const std::string& why) {
  throw Error(ErrorCode::InvalidArgument, "invalid URL: " + why);
}

bool hasForbiddenBytes(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte <= 0x20 || byte == 0x7F;
  });
}

bool isIpv6(const std::string& text) {
  in6_addr address{};
  return ::inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

// A registered name or IPv4 address. Narrower than RFC 3986, which allows what no DNS name holds.
bool isHostName(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
  });
}

std::uint16_t defaultPort(const std::string& scheme) {
  return scheme == "https" || scheme == "wss" ? 443 : 80;
}

std::uint16_t parsePort(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value == 0 || value > 65535) {
    refuse("the port must be a number from 1 to 65535");
  }
  return static_cast<std::uint16_t>(value);
}

std::string bracketed(const std::string& host) {
  return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

}  // namespace

Url Url::parse(std::string_view text) {
  if (hasForbiddenBytes(text)) refuse("it holds white space or control characters");
  const auto schemeEnd = text.find("://");
  if (schemeEnd == std::string_view::npos || schemeEnd == 0) {
    refuse("it must start with http:// or https://");
  }
  Url url;
  url.scheme_ = toLower(text.substr(0, schemeEnd));
  if (url.scheme_ != "http" && url.scheme_ != "https" && url.scheme_ != "ws" &&
      url.scheme_ != "wss") {
    refuse("the scheme must be http or https");
  }
  std::string_view rest = text.substr(schemeEnd + 3);
  rest = rest.substr(0, rest.find('#'));

  std::string_view authority = rest.substr(0, rest.find_first_of("/?"));
  rest.remove_prefix(authority.size());
  if (const auto at = authority.rfind('@'); at != std::string_view::npos) {
    url.userInfo_ = authority.substr(0, at);
    authority.remove_prefix(at + 1);
  }
  std::string_view portText;
  if (authority.starts_with('[')) {
    const auto close = authority.find(']');
    if (close == std::string_view::npos) refuse("the IPv6 address is not closed by ']'");
    url.host_ = toLower(authority.substr(1, close - 1));
    if (!isIpv6(url.host_)) refuse("the IPv6 address is malformed");
    portText = authority.substr(close + 1);
    if (!portText.empty() && portText.front() != ':') refuse("the host is malformed");
  } else {
    const auto colon = authority.find(':');
    url.host_ = toLower(authority.substr(0, colon));
    if (url.host_.empty()) refuse("it has no host");
    if (!isHostName(url.host_)) refuse("the host is malformed");
    if (colon != std::string_view::npos) portText = authority.substr(colon);
  }
  // "host:" without digits is allowed by RFC 3986 section 3.2.3 and means the default.
  if (portText.size() > 1) url.port_ = parsePort(portText.substr(1));

  const auto question = rest.find('?');
  url.path_ = rest.substr(0, question);
  if (question != std::string_view::npos) url.query_ = rest.substr(question + 1);
  return url;
}

std::optional<Url> Url::tryParse(std::string_view text) {
  try {
    return parse(text);
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::uint16_t Url::port() const noexcept { return port_.value_or(defaultPort(scheme_)); }

bool Url::hasDefaultPort() const noexcept { return port() == defaultPort(scheme_); }

std::string Url::authority() const {
  return hasDefaultPort() ? bracketed(host_) : bracketed(host_) + ":" + std::to_string(port());
}

std::string Url::hostAsWritten() const {
  return port_ ? bracketed(host_) + ":" + std::to_string(*port_) : bracketed(host_);
}

std::string Url::origin() const { return scheme_ + "://" + authority(); }

std::string Url::requestTarget() const {
  std::string target = path_.empty() ? "/" : path_;
  if (!query_.empty()) target += "?" + query_;
  return target;
}

std::string Url::str() const {
  std::string text = scheme_ + "://" + hostAsWritten() + path_;
  if (!query_.empty()) text += "?" + query_;
  return text;
}

Url Url::withPath(std::string path, std::string query) const {
  if (hasForbiddenBytes(path) || hasForbiddenBytes(query)) {
    refuse("the path holds white space or control characters");
  }
  if (path.find_first_of("?#") != std::string::npos || query.find('#') != std::string::npos) {
    refuse("the path holds a delimiter");
  }
  Url copy = *this;
  if (!path.empty() && path.front() != '/') path.insert(0, 1, '/');
  copy.path_ = std::move(path);
  copy.query_ = std::move(query);
  return copy;
}

Url Url::withHost(std::string host) const {
  if (!isHostName(host) && !isIpv6(host)) refuse("the host is malformed");
  Url copy = *this;
  copy.host_ = toLower(host);
  return copy;
}

Url Url::withoutTrailingSlash() const {
  Url copy = *this;
  const auto last = copy.path_.find_last_not_of('/');
  copy.path_.resize(last == std::string::npos ? 0 : last + 1);
  return copy;
}

bool operator==(const Url& a, const Url& b) {
  return a.scheme_ == b.scheme_ && a.userInfo_ == b.userInfo_ && a.host_ == b.host_ &&
         a.port() == b.port() && a.path_ == b.path_ && a.query_ == b.query_;
}

}  // namespace stratos
