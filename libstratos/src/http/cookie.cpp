#include "stratos/http/cookie.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <string_view>

#include "http/syntax.hpp"
#include "stratos/base/error.hpp"

namespace stratos::http {
namespace {

constexpr std::array<const char*, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

// cookie-octet of RFC 6265 section 4.1.1.
bool isCookieValue(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return c > 0x20 && c < 0x7F && c != '"' && c != ',' && c != ';' && c != '\\';
  });
}

void checkAttribute(std::string_view text, const char* what) {
  if (detail::hasControls(text) || text.find(';') != std::string_view::npos) {
    throw Error(ErrorCode::InvalidArgument, std::string("a cookie has a malformed ") + what);
  }
}

std::optional<int> parseDigits(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.front() == '-') {
    return std::nullopt;
  }
  return value;
}

}  // namespace

std::string SetCookie::str() const {
  if (!detail::isToken(name)) {
    throw Error(ErrorCode::InvalidArgument, "a cookie has a malformed name");
  }
  if (!isCookieValue(value)) {
    throw Error(ErrorCode::InvalidArgument, "the cookie " + name + " has a malformed value");
  }
  checkAttribute(path, "path");
  checkAttribute(domain, "domain");
  checkAttribute(sameSite, "SameSite attribute");
  std::string text = name + "=" + value;
  if (!path.empty()) text += "; Path=" + path;
  if (!domain.empty()) text += "; Domain=" + domain;
  if (expires) text += "; Expires=" + formatHttpDate(*expires);
  if (maxAge) text += "; Max-Age=" + std::to_string(maxAge->count());
  if (httpOnly) text += "; HttpOnly";
  if (secure) text += "; Secure";
  if (!sameSite.empty()) text += "; SameSite=" + sameSite;
  return text;
}

std::string formatHttpDate(TimePoint t) {
  const auto day = std::chrono::floor<std::chrono::days>(t);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss time{std::chrono::floor<std::chrono::seconds>(t - day)};
  std::array<char, 64> text{};
  // Not strftime: the names must be English in every locale.
  std::snprintf(text.data(), text.size(), "%s, %02u %s %04d %02d:%02d:%02d GMT",
                kDays[std::chrono::weekday{day}.c_encoding()], static_cast<unsigned>(date.day()),
                kMonths[static_cast<unsigned>(date.month()) - 1], static_cast<int>(date.year()),
                static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                static_cast<int>(time.seconds().count()));
  return text.data();
}

std::optional<TimePoint> parseHttpDate(std::string_view text) {
  // Sun, 06 Nov 1994 08:49:37 GMT
  if (text.size() != 29 || text.substr(3, 2) != ", " || text.substr(25) != " GMT" ||
      text[7] != ' ' || text[11] != ' ' || text[16] != ' ' || text[19] != ':' || text[22] != ':') {
    return std::nullopt;
  }
  const auto day = parseDigits(text.substr(5, 2));
  const auto year = parseDigits(text.substr(12, 4));
  const auto hour = parseDigits(text.substr(17, 2));
  const auto minute = parseDigits(text.substr(20, 2));
  const auto second = parseDigits(text.substr(23, 2));
  const auto month = std::find(kMonths.begin(), kMonths.end(), text.substr(8, 3));
  const auto weekday = std::find(kDays.begin(), kDays.end(), text.substr(0, 3));
  if (!day || !year || !hour || !minute || !second || month == kMonths.end() ||
      weekday == kDays.end() || *hour > 23 || *minute > 59 || *second > 60) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date{
      std::chrono::year{*year},
      std::chrono::month{static_cast<unsigned>(month - kMonths.begin()) + 1},
      std::chrono::day{static_cast<unsigned>(*day)}};
  if (!date.ok()) return std::nullopt;
  return TimePoint{std::chrono::sys_days{date}} + std::chrono::hours{*hour} +
         std::chrono::minutes{*minute} + std::chrono::seconds{*second};
}

}  // namespace stratos::http
