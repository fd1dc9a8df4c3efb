#include "stratos/http/address_policy.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <arpa/inet.h>

namespace stratos::http {
namespace {

constexpr std::string_view kDenied = "an address that STRATOS_OUTGOING_DENY names";
constexpr std::string_view kMetadata = "the metadata service of a cloud";
constexpr std::string_view kLinkLocal = "a link-local address";
constexpr std::string_view kUnspecified = "an unspecified address";
constexpr std::string_view kMulticast = "a multicast address";

constexpr auto kRefused = std::to_array<std::pair<const char*, std::string_view>>({
    {"0.0.0.0/8", kUnspecified},  // Linux connects 0.0.0.0 to itself.
    {"::/128", kUnspecified},
    {"169.254.0.0/16", kLinkLocal},
    {"fe80::/10", kLinkLocal},
    {"224.0.0.0/4", kMulticast},
    {"ff00::/8", kMulticast},
    {"240.0.0.0/4", "a reserved address"},
    {"255.255.255.255", "the broadcast address"},
    // Named one by one as well, so that opening the network around them does not open them.
    {"169.254.169.254", kMetadata},
    {"169.254.170.2", kMetadata},   // Credentials of ECS tasks.
    {"169.254.170.23", kMetadata},  // Credentials of EKS pods.
    {"fd00:ec2::254", kMetadata},
    {"fd00:ec2::23", kMetadata},
    {"fd20:ce::254", kMetadata},     // Google Cloud.
    {"168.63.129.16", kMetadata},    // Azure.
    {"100.100.100.200", kMetadata},  // Alibaba Cloud.
    {"192.0.0.192", kMetadata},      // Oracle Cloud.
});

constexpr auto kPrivate = std::to_array<const char*>(
    {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"});
constexpr auto kLoopback = std::to_array<const char*>({"127.0.0.0/8", "::1"});

// The IPv4 address that a translator would make of an IPv6 address; empty when there is none.
// Mapped addresses are not looked for: to IpNetwork they are IPv4 addresses.
std::string embeddedIpv4(std::string_view address) {
  std::array<unsigned char, 16> bytes{};
  if (::inet_pton(AF_INET6, std::string{address}.c_str(), bytes.data()) != 1) return {};
  const std::string_view all{reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  using namespace std::string_view_literals;
  std::size_t at = 0;
  if (all.starts_with("\x00\x64\xFF\x9B\0\0\0\0\0\0\0\0"sv) ||  // NAT64, RFC 6052.
      all.starts_with("\x00\x64\xFF\x9B\0\1"sv) ||              // NAT64 of a site, RFC 8215.
      all.starts_with("\0\0\0\0\0\0\0\0\xFF\xFF\0\0"sv)) {      // SIIT, RFC 2765.
    at = 12;
  } else if (all.starts_with("\x20\x02"sv)) {  // 6to4, RFC 3056.
    at = 2;
  } else if (all.starts_with("\0\0\0\0\0\0\0\0\0\0\0\0"sv) && all.substr(12) > "\0\0\0\1"sv) {
    at = 12;  // IPv4-compatible, RFC 4291; not :: and ::1.
  } else {
    return {};
  }
  std::array<char, INET_ADDRSTRLEN> text{};
  ::inet_ntop(AF_INET, bytes.data() + at, text.data(), text.size());
  return text.data();
}

}  // namespace

AddressPolicy::AddressPolicy() {
  for (const auto& [network, what] : kRefused) {
    rules_.push_back({IpNetwork::parse(network).value(), Source::BuiltIn, what});
  }
}

bool AddressPolicy::deny(std::string_view network) { return add(network, Source::Deny); }
bool AddressPolicy::allow(std::string_view network) { return add(network, Source::Allow); }

bool AddressPolicy::add(std::string_view text, Source source) {
  const auto addAll = [&](const auto& networks) {
    for (const char* network : networks) static_cast<void>(add(network, source));
    return true;
  };
  if (text == "private") return addAll(kPrivate);
  if (text == "loopback") return addAll(kLoopback);
  const auto network = IpNetwork::parse(text);
  if (network) rules_.push_back({*network, source, kDenied});
  return network.has_value();
}

const AddressPolicy::Rule* AddressPolicy::decidingRule(std::string_view address) const {
  const Rule* best = nullptr;
  const auto weight = [](const Rule& rule) {
    return std::pair{rule.network.prefixBits(), rule.source};
  };
  for (const Rule& rule : rules_) {
    if (!rule.network.contains(address)) continue;
    if (best == nullptr || weight(rule) > weight(*best)) best = &rule;
  }
  return best;
}

std::optional<std::string> AddressPolicy::refusal(std::string_view address) const {
  if (!isIpAddress(address)) return "no address";
  for (const std::string& form : {std::string{address}, embeddedIpv4(address)}) {
    const Rule* rule = decidingRule(form);
    if (rule != nullptr && rule->source != Source::Allow) return std::string{rule->what};
  }
  return std::nullopt;
}

std::string AddressPolicy::describe(std::string_view host, std::string_view address,
                                    std::string_view refusal) {
  std::string text{host};
  if (host != address) text.append(" has the address ").append(address);
  text.append(host != address ? ", " : " is ").append(refusal);
  return text + ", which may not be called; STRATOS_OUTGOING_ALLOW names addresses that may";
}

}  // namespace stratos::http
