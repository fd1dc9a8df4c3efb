#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace stratos::http::detail {

/// tchar of RFC 9110 section 5.6.2.
inline constexpr std::array<bool, 256> kTokenChars = [] {
  std::array<bool, 256> table{};
  for (const char c : std::string_view{"!#$%&'*+-.^_`|~0123456789"
                                       "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"}) {
    table[static_cast<unsigned char>(c)] = true;
  }
  return table;
}();

constexpr bool isTokenChar(char c) noexcept { return kTokenChars[static_cast<unsigned char>(c)]; }

constexpr bool isToken(std::string_view text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(), isTokenChar);
}

constexpr bool isControl(char c) noexcept {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
}

constexpr bool hasControls(std::string_view text) noexcept {
  return std::any_of(text.begin(), text.end(), isControl);
}

}  // namespace stratos::http::detail
