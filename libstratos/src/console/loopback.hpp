#pragma once

#include <string_view>

#include "stratos/base/url.hpp"

namespace stratos::console {

/// 127.0.0.0/8, ::1, and the former as IPv4-mapped IPv6.
[[nodiscard]] inline bool isLoopbackAddress(std::string_view address) {
  constexpr std::string_view kMapped = "::ffff:";
  if (address.starts_with(kMapped)) address.remove_prefix(kMapped.size());
  return address == "::1" || address.starts_with("127.");
}

/// Whether a Host field names this machine: `localhost` or a loopback address, with or without
/// port.
[[nodiscard]] inline bool isLoopbackHost(std::string_view field) {
  const auto url = Url::tryParse("http://" + std::string{field});
  if (!url) return false;
  const std::string& host = url->host();
  const bool isNumber = host.find_first_not_of("0123456789.") == std::string::npos;
  return host == "localhost" || host == "::1" || (isNumber && host.starts_with("127."));
}

}  // namespace stratos::console
