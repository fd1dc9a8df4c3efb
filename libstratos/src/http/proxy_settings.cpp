#include "http/proxy_settings.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include <arpa/inet.h>

#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"

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

// The 4 or 16 bytes of an address; an IPv4 address mapped into IPv6 counts as IPv4.
std::string addressBytes(const std::string& text) {
  std::array<char, 16> bytes{};
  if (::inet_pton(AF_INET, text.c_str(), bytes.data()) == 1) return {bytes.data(), 4};
  if (::inet_pton(AF_INET6, text.c_str(), bytes.data()) != 1) return {};
  constexpr std::string_view kMapped{"\0\0\0\0\0\0\0\0\0\0\xFF\xFF", 12};
  const std::string_view all{bytes.data(), bytes.size()};
  return std::string(all.starts_with(kMapped) ? all.substr(12) : all);
}

bool contains(const std::string& network, int prefixBits, const std::string& address) {
  if (network.size() != address.size()) return false;
  const std::size_t whole = static_cast<std::size_t>(prefixBits) / 8;
  if (network.compare(0, whole, address, 0, whole) != 0) return false;
  const int rest = prefixBits % 8;
  if (rest == 0) return true;
  const int mask = 0xFF << (8 - rest);
  return ((network[whole] ^ address[whole]) & mask) == 0;
}

std::optional<int> parseNumber(std::string_view text, int limit) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < 0 || value > limit) {
    return std::nullopt;
  }
  return value;
}

bool isLoopback(const std::string& host, const std::string& address) {
  if (host == "localhost") return true;
  if (address.size() == 4) return address.front() == 127;
  return address.size() == 16 && address.back() == 1 &&
         address.find_first_not_of('\0') == address.size() - 1;
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
    std::string address = addressBytes(text.substr(0, slash));
    const auto bits =
        parseNumber(std::string_view{text}.substr(slash + 1), static_cast<int>(address.size() * 8));
    // An entry that means nothing excepts nothing, as in curl and Go.
    if (!address.empty() && bits) networks_.push_back({std::move(address), *bits, 0});
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
  if (std::string address = addressBytes(text); !address.empty()) {
    const int bits = static_cast<int>(address.size() * 8);
    networks_.push_back({std::move(address), bits, port});
    return;
  }
  if (text.starts_with("*.")) text.erase(0, 1);
  const bool subdomainsOnly = text.starts_with('.');
  if (subdomainsOnly) text.erase(0, 1);
  if (!text.empty()) suffixes_.push_back({std::move(text), subdomainsOnly, port});
}

bool ProxySettings::isDirect(const Url& target) const {
  const std::string& host = target.host();
  const std::string address = addressBytes(host);
  if (allDirect_ || isLoopback(host, address)) return true;
  const auto portMatches = [&target](std::uint16_t port) {
    return port == 0 || port == target.port();
  };
  if (!address.empty()) {
    return std::any_of(networks_.begin(), networks_.end(), [&](const Network& network) {
      return portMatches(network.port) && contains(network.address, network.prefixBits, address);
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
