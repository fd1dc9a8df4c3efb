#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "stratos/base/export.hpp"

namespace stratos {

/// A range of IP addresses (RFC 4632, RFC 4291 section 2.3). A value.
class STRATOS_EXPORT IpNetwork {
 public:
  /// Parses `10.0.0.0/8`, `fd00::/8` or a single address; empty when `text` is neither.
  [[nodiscard]] static std::optional<IpNetwork> parse(std::string_view text);

  /// Whether `address` is in it. An IPv4 address and its IPv4-mapped IPv6 form are the same; what
  /// is no address is in no network.
  [[nodiscard]] bool contains(std::string_view address) const;
  /// The leading bits that its addresses share: at most 32 or 128.
  [[nodiscard]] int prefixBits() const noexcept { return bits_; }

 private:
  IpNetwork(std::string bytes, int bits) : bytes_(std::move(bytes)), bits_(bits) {}
  std::string bytes_;  ///< 4 or 16.
  int bits_;
};

/// True for the text of an IPv4 or IPv6 address, without brackets.
[[nodiscard]] STRATOS_EXPORT bool isIpAddress(std::string_view text);

}  // namespace stratos
