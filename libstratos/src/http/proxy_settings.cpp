#include "http/proxy_settings.hpp"

#include <algorithm>
#include <charconv>

#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"
#include "stratos/base/ip_network.hpp"

namespace stratos::http::detail {
namespace {

std::optional<ForwardProxy> parseProxy(std::string_view text) {
  text = trim(text);
  if (text.empty()) return std::nullopt;
  const auto url =
      Url::tryParse(text.find("://") == std::string_view::npos ? "http://" + std::string(text)
                                                               : std::string(text));
  // The text may hold a password, so it is not repeated.
  if (!url || url->scheme() != "http") {
    throw Error(ErrorCode::InvalidArgument, "the forward proxy must be an http:// URL");
  }
  ForwardProxy proxy{url->host(), url->port(), {}};
  if (!url->userInfo().empty()) {
    const std::string& info = url->userInfo();
    const auto colon = info.find(':');
    const auto user = percentDecode(std::string_view{info}.substr(0, colon));
    const auto password = colon == std::string::npos
                              ? std::optional<std::string>{""}
                              : percentDecode(std::string_view{info}.substr(colon + 1));
    if (!user || !password) {
      throw Error(ErrorCode::InvalidArgument, "the forward proxy has malformed credentials");
    }
    proxy.authorization = "Basic " + toBase64(*user + ":" + *password);
  }
  return proxy;
}

std::optional<int> parseNumber(std::string_view text, int limit) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < 0 || value > limit) {
    return std::nullopt;
  }
  return value;
}

bool isLoopback(const std::string& host) {
  static const auto kIpv4 = IpNetwork::parse("127.0.0.0/8");
  static const auto kIpv6 = IpNetwork::parse("::1");
  return host == "localhost" || kIpv4->contains(host) || kIpv6->contains(host);
}

}  // namespace

ProxySettings::ProxySettings(std::string_view httpProxy, std::string_view httpsProxy,
                             std::string_view noProxy)
    : http_(parseProxy(httpProxy)), https_(parseProxy(httpsProxy)) {
  for (const std::string& entry : split(noProxy, ',')) addException(trim(entry));
}

void ProxySettings::addException(std::string_view entry) {
  if (entry.empty()) return;
  if (entry == "*") {
    allDirect_ = true;
    return;
  }
  std::string text = toLower(entry);
  if (const auto slash = text.find('/'); slash != std::string::npos) {
    // An entry that means nothing excepts nothing, as in curl and Go.
    if (const auto range = IpNetwork::parse(text)) networks_.push_back({*range, 0});
    return;
  }
  std::uint16_t port = 0;
  const auto colon = text.rfind(':');
  const bool ported = colon != std::string::npos &&
                      (text.find(':') == colon || (colon > 0 && text[colon - 1] == ']'));
  if (ported) {
    const auto number = parseNumber(std::string_view{text}.substr(colon + 1), 65535);
    if (!number) return;
    port = static_cast<std::uint16_t>(*number);
    text.resize(colon);
  }
  if (text.size() > 2 && text.front() == '[' && text.back() == ']') {
    text = text.substr(1, text.size() - 2);
  }
  if (const auto range = IpNetwork::parse(text)) {
    networks_.push_back({*range, port});
    return;
  }
  if (text.starts_with("*.")) text.erase(0, 1);
  const bool subdomainsOnly = text.starts_with('.');
  if (subdomainsOnly) text.erase(0, 1);
  if (!text.empty()) suffixes_.push_back({std::move(text), subdomainsOnly, port});
}

bool ProxySettings::isDirect(const Url& target) const {
  const std::string& host = target.host();
  if (allDirect_ || isLoopback(host)) return true;
  const auto portMatches = [&target](std::uint16_t port) {
    return port == 0 || port == target.port();
  };
  if (isIpAddress(host)) {
    return std::any_of(networks_.begin(), networks_.end(), [&](const Network& network) {
      return portMatches(network.port) && network.range.contains(host);
    });
  }
  return std::any_of(suffixes_.begin(), suffixes_.end(), [&](const Suffix& suffix) {
    if (!portMatches(suffix.port)) return false;
    if (host == suffix.domain) return !suffix.subdomainsOnly;
    return host.size() > suffix.domain.size() && host.ends_with(suffix.domain) &&
           host[host.size() - suffix.domain.size() - 1] == '.';
  });
}

const ForwardProxy* ProxySettings::find(const Url& target) const {
  const std::optional<ForwardProxy>& proxy = target.isSecure() ? https_ : http_;
  return proxy && !isDirect(target) ? &*proxy : nullptr;
}

}  // namespace stratos::http::detail
