#include "stratos/db/value.hpp"

#include <charconv>
#include <cmath>

#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"

namespace stratos::db {

namespace {

std::optional<std::int64_t> parseInteger(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// What a number column may hold in one of the databases; empty for anything else.
std::optional<std::int64_t> toInteger(const Value& value) {
  if (std::holds_alternative<Null>(value)) return 0;
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? 1 : 0;
  if (const auto* number = std::get_if<std::int64_t>(&value)) return *number;
  if (const auto* real = std::get_if<double>(&value)) {
    constexpr double kLimit = 9.2e18;
    if (std::trunc(*real) != *real || std::abs(*real) > kLimit) return std::nullopt;
    return static_cast<std::int64_t>(*real);
  }
  if (const auto* text = std::get_if<std::string>(&value)) return parseInteger(*text);
  return parseInteger(std::get<Blob>(value).bytes);
}

std::string toBytes(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* blob = std::get_if<Blob>(&value)) return blob->bytes;
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* number = std::get_if<std::int64_t>(&value)) return std::to_string(*number);
  if (const auto* real = std::get_if<double>(&value)) return std::to_string(*real);
  return {};
}

}  // namespace

Row::Row(std::shared_ptr<const std::vector<std::string>> columns, std::vector<Value> values)
    : columns_(std::move(columns)), values_(std::move(values)) {}

const Value& Row::at(std::string_view column) const {
  for (std::size_t i = 0; i < columns_->size() && i < values_.size(); ++i) {
    if (equalsIgnoreCase((*columns_)[i], column)) return values_[i];
  }
  throw Error(ErrorCode::Internal, "The result has no column " + std::string(column));
}

bool Row::isNull(std::string_view column) const { return std::holds_alternative<Null>(at(column)); }

std::string Row::text(std::string_view column) const { return toBytes(at(column)); }

std::string Row::blob(std::string_view column) const { return toBytes(at(column)); }

std::int64_t Row::integer(std::string_view column) const {
  const auto number = toInteger(at(column));
  if (!number) {
    throw Error(ErrorCode::Internal, "Column " + std::string(column) + " holds no whole number");
  }
  return *number;
}

bool Row::boolean(std::string_view column) const {
  const Value& value = at(column);
  if (const auto number = toInteger(value)) return *number != 0;
  const std::string text = toLower(toBytes(value));
  return text == "t" || text == "true";
}

std::optional<TimePoint> Row::timestamp(std::string_view column) const {
  const Value& value = at(column);
  if (std::holds_alternative<Null>(value) || std::holds_alternative<bool>(value)) {
    return std::nullopt;
  }
  if (const auto* real = std::get_if<double>(&value)) {
    constexpr double kLimit = 9.2e15;
    if (!(std::abs(*real) < kLimit)) return std::nullopt;
    return TimePoint{std::chrono::milliseconds{std::llround(*real * 1000)}};
  }
  return parseTimestamp(toBytes(value));
}

}  // namespace stratos::db
