#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "stratos/base/ip_network.hpp"
#include "stratos/base/url.hpp"

namespace stratos::http::detail {

/// A forward proxy, spoken to in plain text.
struct ForwardProxy {
  std::string host;
  std::uint16_t port = 0;
  /// The value of Proxy-Authorization; empty for none. A secret.
  std::string authorization;
};

/// HTTP_PROXY, HTTPS_PROXY and NO_PROXY as curl and Go read them. Immutable.
class ProxySettings {
 public:
  ProxySettings() = default;
  /// Throws Error(InvalidArgument) when a proxy is no http URL or `host:port`.
  ProxySettings(std::string_view httpProxy, std::string_view httpsProxy, std::string_view noProxy);

  /// The proxy for `target`; null when it is called directly. Loopback targets always are.
  [[nodiscard]] const ForwardProxy* find(const Url& target) const;

 private:
  struct Network {
    IpNetwork range;
    std::uint16_t port = 0;  ///< Zero: any.
  };
  struct Suffix {
    std::string domain;
    bool subdomainsOnly = false;
    std::uint16_t port = 0;
  };

  void addException(std::string_view entry);
  [[nodiscard]] bool isDirect(const Url& target) const;

  std::optional<ForwardProxy> http_;
  std::optional<ForwardProxy> https_;
  bool allDirect_ = false;
  std::vector<Network> networks_;
  std::vector<Suffix> suffixes_;
};

}  // namespace stratos::http::detail
