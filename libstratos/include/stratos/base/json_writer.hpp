#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "stratos/base/export.hpp"

namespace stratos {

/// Writes one JSON document (RFC 8259) without white space, members in the order of the calls.
/// Malformed UTF-8 is replaced by U+FFFD, so the result is always valid when the calls are
/// balanced. One thread at a time.
class STRATOS_EXPORT JsonWriter {
 public:
  JsonWriter();
  ~JsonWriter();
  JsonWriter(JsonWriter&&) noexcept;
  JsonWriter& operator=(JsonWriter&&) noexcept;

  JsonWriter& beginObject();
  JsonWriter& endObject();
  JsonWriter& beginArray();
  JsonWriter& endArray();
  JsonWriter& key(std::string_view name);
  JsonWriter& value(std::string_view text);
  JsonWriter& value(const std::string& text) { return value(std::string_view{text}); }
  JsonWriter& value(const char* text) { return value(std::string_view{text}); }
  template <std::same_as<bool> T>
  JsonWriter& value(T flag) {
    return writeFlag(flag);
  }
  template <std::integral T>
  requires(!std::same_as<T, bool>) JsonWriter& value(T number) {
    return writeNumber(static_cast<std::int64_t>(number));
  }
  JsonWriter& null();
  /// `json` as it is; it must be one valid value.
  JsonWriter& raw(std::string_view json);
  template <class T>
  JsonWriter& member(std::string_view name, const T& content) {
    return key(name).value(content);
  }

  /// What has been written so far.
  [[nodiscard]] std::string str() const;

 private:
  JsonWriter& writeFlag(bool flag);
  JsonWriter& writeNumber(std::int64_t number);
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stratos
