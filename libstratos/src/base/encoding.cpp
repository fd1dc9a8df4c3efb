#include "stratos/base/encoding.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace stratos {
namespace {

constexpr std::string_view kHexLower = "0123456789abcdef";
constexpr std::string_view kHexUpper = "0123456789ABCDEF";
constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kBase64Url =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

constexpr std::uint8_t toByte(char c) noexcept { return static_cast<std::uint8_t>(c); }

constexpr bool isAlnum(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

constexpr char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

constexpr int hexValue(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// What a character of either alphabet stands for; -1 for others.
constexpr std::array<std::int8_t, 256> kBase64Values = [] {
  std::array<std::int8_t, 256> values{};
  values.fill(-1);
  for (std::size_t i = 0; i < kBase64.size(); ++i) {
    values[toByte(kBase64[i])] = static_cast<std::int8_t>(i);
    values[toByte(kBase64Url[i])] = static_cast<std::int8_t>(i);
  }
  return values;
}();

std::string encodeBase64(std::string_view bytes, std::string_view alphabet, bool pad) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  std::size_t i = 0;
  for (; i + 3 <= bytes.size(); i += 3) {
    const std::uint32_t v = (std::uint32_t{toByte(bytes[i])} << 16) |
                            (std::uint32_t{toByte(bytes[i + 1])} << 8) | toByte(bytes[i + 2]);
    out += alphabet[v >> 18];
    out += alphabet[(v >> 12) & 63];
    out += alphabet[(v >> 6) & 63];
    out += alphabet[v & 63];
  }
  const std::size_t rest = bytes.size() - i;
  if (rest > 0) {
    std::uint32_t v = std::uint32_t{toByte(bytes[i])} << 16;
    if (rest == 2) v |= std::uint32_t{toByte(bytes[i + 1])} << 8;
    out += alphabet[v >> 18];
    out += alphabet[(v >> 12) & 63];
    if (rest == 2) out += alphabet[(v >> 6) & 63];
    if (pad) out.append(3 - rest, '=');
  }
  return out;
}

void appendEscape(std::string& out, char c) {
  out += '%';
  out += kHexUpper[toByte(c) >> 4];
  out += kHexUpper[toByte(c) & 15];
}

std::optional<std::string> decodeEscapes(std::string_view text, bool plusIsSpace) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      if (text.size() - i < 3) return std::nullopt;
      const int high = hexValue(text[i + 1]);
      const int low = hexValue(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += plusIsSpace && text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

// The length of the well-formed UTF-8 sequence that `text` starts with, 0 when there is none
// (Unicode 15, table 3-7).
std::size_t utf8Length(std::string_view text) noexcept {
  const std::uint8_t first = toByte(text[0]);
  if (first < 0x80) return 1;
  std::size_t length = 0;
  std::uint8_t secondMin = 0x80;
  std::uint8_t secondMax = 0xBF;
  if (first >= 0xC2 && first <= 0xDF) {
    length = 2;
  } else if (first >= 0xE0 && first <= 0xEF) {
    length = 3;
    if (first == 0xE0) secondMin = 0xA0;
    if (first == 0xED) secondMax = 0x9F;
  } else if (first >= 0xF0 && first <= 0xF4) {
    length = 4;
    if (first == 0xF0) secondMin = 0x90;
    if (first == 0xF4) secondMax = 0x8F;
  }
  if (length == 0 || text.size() < length) return 0;
  if (toByte(text[1]) < secondMin || toByte(text[1]) > secondMax) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if ((toByte(text[i]) & 0xC0) != 0x80) return 0;
  }
  return length;
}

}  // namespace

std::string toHex(std::string_view bytes) {
  std::string out(bytes.size() * 2, '\0');
  auto to = out.begin();
  for (const char c : bytes) {
    *to++ = kHexLower[toByte(c) >> 4];
    *to++ = kHexLower[toByte(c) & 15];
  }
  return out;
}

std::optional<std::string> fromHex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::string out;
  out.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = hexValue(text[i]);
    const int low = hexValue(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
  }
  return out;
}

std::string toBase64(std::string_view bytes) { return encodeBase64(bytes, kBase64, true); }

std::string toBase64Url(std::string_view bytes) { return encodeBase64(bytes, kBase64Url, false); }

std::optional<std::string> fromBase64(std::string_view text) {
  std::size_t padding = 0;
  while (!text.empty() && text.back() == '=' && padding < 2) {
    text.remove_suffix(1);
    ++padding;
  }
  const std::size_t rest = text.size() % 4;
  if (rest == 1 || (padding > 0 && rest + padding != 4)) return std::nullopt;
  std::string out(text.size() * 3 / 4, '\0');
  auto to = out.begin();
  std::uint32_t bits = 0;
  int bitCount = 0;
  for (const char c : text) {
    const int value = kBase64Values[toByte(c)];
    if (value < 0) return std::nullopt;
    bits = (bits << 6) | static_cast<std::uint32_t>(value);
    bitCount += 6;
    if (bitCount >= 8) {
      bitCount -= 8;
      *to++ = static_cast<char>((bits >> bitCount) & 0xFF);
    }
  }
  // Bits left over must be zero, else two texts would mean the same bytes.
  if ((bits & ((1U << bitCount) - 1)) != 0) return std::nullopt;
  return out;
}

std::string percentEncode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (isAlnum(c) || c == '-' || c == '.' || c == '_' || c == '~') {
      out += c;
    } else {
      appendEscape(out, c);
    }
  }
  return out;
}

std::optional<std::string> percentDecode(std::string_view text) {
  return decodeEscapes(text, false);
}

std::string encodeFormValue(std::string_view value) {
  std::string out;
  out.reserve(value.size());
  for (const char c : value) {
    if (isAlnum(c) || c == '*' || c == '-' || c == '.' || c == '_') {
      out += c;
    } else if (c == ' ') {
      out += '+';
    } else {
      appendEscape(out, c);
    }
  }
  return out;
}

std::string encodeForm(const FormFields& fields) {
  std::string out;
  for (const auto& [name, value] : fields) {
    if (!out.empty()) out += '&';
    out += encodeFormValue(name);
    out += '=';
    out += encodeFormValue(value);
  }
  return out;
}

std::optional<FormFields> decodeForm(std::string_view text) {
  FormFields fields;
  while (!text.empty()) {
    const std::string_view part = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(part.size() + 1, text.size()));
    if (part.empty()) continue;
    const auto equals = part.find('=');
    auto name = decodeEscapes(part.substr(0, equals), true);
    auto value = equals == std::string_view::npos ? std::optional<std::string>{""}
                                                  : decodeEscapes(part.substr(equals + 1), true);
    if (!name || !value) return std::nullopt;
    fields.emplace_back(std::move(*name), std::move(*value));
  }
  return fields;
}

bool isValidUtf8(std::string_view text) noexcept {
  while (!text.empty()) {
    const std::size_t length = utf8Length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string toValidUtf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = utf8Length(text);
    if (length == 0) {
      out += kReplacement;
      text.remove_prefix(1);
    } else {
      out += text.substr(0, length);
      text.remove_prefix(length);
    }
  }
  return out;
}

std::string toLower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), lower);
  return out;
}

std::string_view trim(std::string_view text) noexcept {
  constexpr std::string_view kSpace = " \t\r\n";
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  for (;;) {
    const auto end = text.find(separator, begin);
    parts.emplace_back(text.substr(begin, end - begin));
    if (end == std::string_view::npos) return parts;
    begin = end + 1;
  }
}

}  // namespace stratos
