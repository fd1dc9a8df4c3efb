#pragma once

#include <algorithm>
#include <string_view>

namespace stratos::http::detail {

/// tchar of RFC 9110 section 5.6.2.
constexpr bool isTokenChar(char c) noexcept {
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return true;
  return c != '\0' && std::string_view{"!#$%&'*+-.^_`|~"}.find(c) != std::string_view::npos;
}

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
