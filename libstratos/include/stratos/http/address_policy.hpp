#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "stratos/base/export.hpp"
#include "stratos/base/ip_network.hpp"

namespace stratos::http {

/// Which addresses outgoing calls may reach: the guard against endpoints that are registered, or
/// redirect, to where only the console's machine gets (server-side request forgery). A value.
///
/// Without further rules these are refused: link-local addresses, the metadata services of clouds,
/// the unspecified address and its network, multicast, broadcast and reserved addresses. Loopback
/// and private networks are allowed, since foundations stand there.
///
/// Of all networks that hold an address the smallest decides; of two that are equal, deny() counts
/// more than allow(), and allow() more than what is built in. An IPv4 address is judged as such in
/// whatever IPv6 form it comes (mapped, translated by NAT64, 6to4).
class STRATOS_EXPORT AddressPolicy {
 public:
  AddressPolicy();

  /// Adds `10.0.0.0/8`, a single address, or one of the words `private` (10/8, 172.16/12,
  /// 192.168/16, 100.64/10, fc00::/7) and `loopback` (127/8, ::1). False: `network` is none of it.
  [[nodiscard]] bool deny(std::string_view network);
  [[nodiscard]] bool allow(std::string_view network);

  /// What speaks against `address`, such as "a link-local address"; empty when it may be reached.
  /// What is no address is refused.
  [[nodiscard]] std::optional<std::string> refusal(std::string_view address) const;

  /// The refusal as a sentence that names the address and the setting.
  [[nodiscard]] static std::string describe(std::string_view host, std::string_view address,
                                            std::string_view refusal);

 private:
  enum class Source { BuiltIn, Allow, Deny };
  struct Rule {
    IpNetwork network;
    Source source;
    std::string_view what;  ///< Of a literal.
  };

  [[nodiscard]] bool add(std::string_view text, Source source);
  [[nodiscard]] const Rule* decidingRule(std::string_view address) const;

  std::vector<Rule> rules_;
};

}  // namespace stratos::http
