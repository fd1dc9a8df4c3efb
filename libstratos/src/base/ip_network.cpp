#include "stratos/base/ip_network.hpp"

#include <array>
#include <charconv>

#include <arpa/inet.h>

namespace stratos {

namespace {

// The 4 or 16 bytes of an address; an IPv4 address mapped into IPv6 counts as IPv4.
std::string addressBytes(const std::string& text) {
  std::array<char, 16> bytes{};
  if (::inet_pton(AF_INET, text.c_str(), bytes.data()) == 1) return {bytes.data(), 4};
  if (::inet_pton(AF_INET6, text.c_str(), bytes.data()) != 1) return {};
  constexpr std::string_view kMapped{"\0\0\0\0\0\0\0\0\0\0\xFF\xFF", 12};
  const std::string_view all{bytes.data(), bytes.size()};
  return std::string(all.starts_with(kMapped) ? all.substr(12) : all);
}

bool isWithin(const std::string& network, int prefixBits, const std::string& address) {
  if (network.size() != address.size()) return false;
  const std::size_t whole = static_cast<std::size_t>(prefixBits) / 8;
  if (network.compare(0, whole, address, 0, whole) != 0) return false;
  const int rest = prefixBits % 8;
  if (rest == 0) return true;
  const int mask = 0xFF << (8 - rest);
  return ((network[whole] ^ address[whole]) & mask) == 0;
}

}  // namespace

std::optional<IpNetwork> IpNetwork::parse(std::string_view text) {
  const auto slash = text.find('/');
  std::string bytes = addressBytes(std::string{text.substr(0, slash)});
  if (bytes.empty()) return std::nullopt;
  const int all = static_cast<int>(bytes.size() * 8);
  int bits = all;
  if (slash != std::string_view::npos) {
    const std::string_view number = text.substr(slash + 1);
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), bits);
    if (error != std::errc{} || end != number.data() + number.size() || bits < 0 || bits > all) {
      return std::nullopt;
    }
  }
  return IpNetwork{std::move(bytes), bits};
}

bool IpNetwork::contains(std::string_view address) const {
  return isWithin(bytes_, bits_, addressBytes(std::string{address}));
}

bool isIpAddress(std::string_view text) { return !addressBytes(std::string{text}).empty(); }

}  // namespace stratos
