#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "stratos/base/export.hpp"

namespace stratos::http {

/// Header fields in their order, with their spelling; names compare without regard to case.
/// Values are bytes as received: no decoding of any kind (RFC 9110 section 5.5). A value.
class STRATOS_EXPORT Headers {
 public:
  using Field = std::pair<std::string, std::string>;

  Headers() = default;
  Headers(std::initializer_list<Field> fields);

  /// Appends a field. Throws Error(InvalidArgument) when the name is no token or the value holds
  /// CR, LF or NUL: this is the one gate against header injection.
  void add(std::string name, std::string value);
  /// Replaces all fields of that name by one.
  void set(std::string name, std::string value);
  void remove(std::string_view name);

  /// The first value, or empty when there is none.
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const noexcept;
  /// The first value, or `fallback`.
  [[nodiscard]] std::string_view get(std::string_view name,
                                     std::string_view fallback = {}) const noexcept;
  [[nodiscard]] bool has(std::string_view name) const noexcept;
  /// Every value of that name, in order.
  [[nodiscard]] std::vector<std::string_view> all(std::string_view name) const;
  /// True when one of the comma separated elements of the field equals `token` (case-insensitive).
  [[nodiscard]] bool hasToken(std::string_view name, std::string_view token) const;

  [[nodiscard]] std::size_t size() const noexcept { return fields_.size(); }
  [[nodiscard]] bool empty() const noexcept { return fields_.empty(); }
  [[nodiscard]] auto begin() const noexcept { return fields_.begin(); }
  [[nodiscard]] auto end() const noexcept { return fields_.end(); }

 private:
  std::vector<Field> fields_;
};

}  // namespace stratos::http
