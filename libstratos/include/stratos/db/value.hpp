#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "stratos/base/clock.hpp"
#include "stratos/base/export.hpp"

namespace stratos::db {

/// Bytes that are not text (BYTEA, BLOB).
struct Blob {
  std::string bytes;
  friend bool operator==(const Blob&, const Blob&) = default;
};

/// A parameter or a column value. Booleans are Bool so that both databases store them as upstream
/// does (boolean, or 0 and 1).
struct Null {
  friend bool operator==(const Null&, const Null&) = default;
};
using Value = std::variant<Null, bool, std::int64_t, double, std::string, Blob>;

/// One row of a result. Columns are found by name in any case, since PostgreSQL folds names.
/// A value.
class STRATOS_EXPORT Row {
 public:
  Row(std::shared_ptr<const std::vector<std::string>> columns, std::vector<Value> values);

  [[nodiscard]] const Value& at(std::string_view column) const;
  [[nodiscard]] bool isNull(std::string_view column) const;
  /// Text, also when a driver delivers it as a blob; NULL gives an empty string.
  [[nodiscard]] std::string text(std::string_view column) const;
  /// Bytes, also when a driver delivers them as text; NULL gives an empty string.
  [[nodiscard]] std::string blob(std::string_view column) const;
  /// A number; a NULL gives 0. Throws Error(Internal) when the column holds something else.
  [[nodiscard]] std::int64_t integer(std::string_view column) const;
  /// true, 1, "1", "t" and "true" are true.
  [[nodiscard]] bool boolean(std::string_view column) const;
  /// A time stamp in any of the forms that upstream's drivers write (see the database document);
  /// empty when NULL or unreadable.
  [[nodiscard]] std::optional<TimePoint> timestamp(std::string_view column) const;

 private:
  std::shared_ptr<const std::vector<std::string>> columns_;
  std::vector<Value> values_;
};

using Rows = std::vector<Row>;
using Parameters = std::vector<Value>;

/// `t` as it is written into a TIMESTAMP column of either database: UTC,
/// `YYYY-MM-DD HH:MM:SS.mmm+00:00`.
[[nodiscard]] STRATOS_EXPORT std::string formatTimestamp(TimePoint t);
/// The inverse; accepts every form the database document lists.
[[nodiscard]] STRATOS_EXPORT std::optional<TimePoint> parseTimestamp(std::string_view text);

}  // namespace stratos::db
