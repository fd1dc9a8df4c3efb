#pragma once

#include <string_view>

#include "stratos/base/ip_network.hpp"
#include "stratos/base/url.hpp"

namespace stratos::console {

/// 127.0.0.0/8, ::1, and the former as IPv4-mapped IPv6.
[[nodiscard]] inline bool isLoopbackAddress(std::string_view address) {
  static const auto kIpv4 = IpNetwork::parse("127.0.0.0/8");
  static const auto kIpv6 = IpNetwork::parse("::1");
  return kIpv4->contains(address) || kIpv6->contains(address);
}

/// Whether a Host field names this machine: `localhost` or a loopback address, with or without
/// port.
[[nodiscard]] inline bool isLoopbackHost(std::string_view field) {
  const auto url = Url::tryParse("http://" + std::string{field});
  if (!url) return false;
  return url->host() == "localhost" || isLoopbackAddress(url->host());
}

}  // namespace stratos::console
