#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>

#include "stratos/base/encoding.hpp"
#include "stratos/db/value.hpp"

namespace stratos::db {

namespace {

// Reads a time stamp from left to right; every member returns false when the text is not like that.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  bool number(std::size_t digits, int& value) {
    if (rest_.size() < digits) return false;
    value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      if (rest_[i] < '0' || rest_[i] > '9') return false;
      value = value * 10 + (rest_[i] - '0');
    }
    rest_.remove_prefix(digits);
    return true;
  }

  bool skip(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  // One to nine digits after the point; what is finer than a millisecond is dropped.
  bool milliseconds(int& value) {
    value = 0;
    std::size_t digits = 0;
    while (!rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9') {
      if (digits < 3) value = value * 10 + (rest_.front() - '0');
      ++digits;
      rest_.remove_prefix(1);
    }
    for (std::size_t i = digits; i < 3; ++i) value *= 10;
    return digits >= 1 && digits <= 9;
  }

  [[nodiscard]] bool atEnd() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

TimePoint fromNumber(std::int64_t number) {
  constexpr std::int64_t kFirstMilliseconds = 1'000'000'000'000;
  if (number > kFirstMilliseconds || number < -kFirstMilliseconds) {
    return TimePoint{std::chrono::milliseconds{number}};
  }
  return fromUnixSeconds(number);
}

}  // namespace

std::string formatTimestamp(TimePoint t) {
  const auto day = std::chrono::floor<std::chrono::days>(t);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(t - day);
  std::array<char, 64> text{};
  const int length = std::snprintf(
      text.data(), text.size(), "%04d-%02u-%02u %02d:%02d:%02d.%03d+00:00",
      static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
      static_cast<unsigned>(date.day()), static_cast<int>(time.hours().count()),
      static_cast<int>(time.minutes().count()), static_cast<int>(time.seconds().count()),
      static_cast<int>(time.subseconds().count()));
  return std::string(text.data(), static_cast<std::size_t>(length));
}

std::optional<TimePoint> parseTimestamp(std::string_view text) {
  text = trim(text);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size()) return fromNumber(number);

  Reader reader(text);
  int year = 0;
  int month = 0;
  int day = 0;
  if (!reader.number(4, year) || !reader.skip('-') || !reader.number(2, month) ||
      !reader.skip('-') || !reader.number(2, day)) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date(std::chrono::year{year},
                                         std::chrono::month{static_cast<unsigned>(month)},
                                         std::chrono::day{static_cast<unsigned>(day)});
  if (!date.ok()) return std::nullopt;
  TimePoint result{std::chrono::sys_days(date)};
  if (reader.atEnd()) return result;

  int hour = 0;
  int minute = 0;
  int second = 0;
  int millisecond = 0;
  if (!reader.skip(' ') && !reader.skip('T')) return std::nullopt;
  if (!reader.number(2, hour) || !reader.skip(':') || !reader.number(2, minute)) {
    return std::nullopt;
  }
  if (reader.skip(':')) {
    if (!reader.number(2, second)) return std::nullopt;
    if (reader.skip('.') && !reader.milliseconds(millisecond)) return std::nullopt;
  }
  if (hour > 23 || minute > 59 || second > 59) return std::nullopt;
  result += std::chrono::hours{hour} + std::chrono::minutes{minute} + std::chrono::seconds{second} +
            std::chrono::milliseconds{millisecond};

  (void)reader.skip(' ');
  if (reader.skip('Z') || reader.atEnd()) {
    return reader.atEnd() ? std::optional(result) : std::nullopt;
  }
  const bool east = reader.skip('+');
  if (!east && !reader.skip('-')) return std::nullopt;
  int offsetHours = 0;
  int offsetMinutes = 0;
  if (!reader.number(2, offsetHours)) return std::nullopt;
  if (!reader.atEnd()) {
    (void)reader.skip(':');
    if (!reader.number(2, offsetMinutes)) return std::nullopt;
  }
  if (!reader.atEnd() || offsetHours > 23 || offsetMinutes > 59) return std::nullopt;
  const auto offset = std::chrono::hours{offsetHours} + std::chrono::minutes{offsetMinutes};
  return east ? result - offset : result + offset;
}

}  // namespace stratos::db
