#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace stratos::testing {

/// A JSON value to be written; members keep their order, as the peers' answers do.
class Json {
 public:
  using Array = std::vector<Json>;
  using Object = std::vector<std::pair<std::string, Json>>;

  Json() : value_(nullptr) {}
  Json(std::nullptr_t) : value_(nullptr) {}
  Json(bool value) : value_(value) {}
  Json(int value) : value_(std::int64_t{value}) {}
  Json(std::int64_t value) : value_(value) {}
  Json(std::uint64_t value) : value_(static_cast<std::int64_t>(value)) {}
  Json(double value) : value_(value) {}
  Json(const char* value) : value_(std::string{value}) {}
  Json(std::string value) : value_(std::move(value)) {}
  Json(Array value) : value_(std::move(value)) {}
  Json(Object value) : value_(std::move(value)) {}

  [[nodiscard]] static Json object(std::initializer_list<Object::value_type> members) {
    return Json{Object{members}};
  }
  [[nodiscard]] static Json strings(const std::vector<std::string>& texts) {
    return Json{Array(texts.begin(), texts.end())};
  }

  [[nodiscard]] std::string dump() const;

 private:
  void write(std::string& out) const;
  std::variant<std::nullptr_t, bool, std::int64_t, double, std::string, Array, Object> value_;
};

/// The members of a JSON object whose values are no containers, as text; nested objects give dotted
/// names ("relationships.space.data.guid"). Throws Error(InvalidArgument) when `text` is no object.
[[nodiscard]] std::map<std::string, std::string> parseFlatObject(std::string_view text);
/// The names, dotted likewise, of the members that are null. Throws as parseFlatObject().
[[nodiscard]] std::vector<std::string> parseNulls(std::string_view text);
/// The objects of the array `member` of a JSON object, each as parseFlatObject() has it.
[[nodiscard]] std::vector<std::map<std::string, std::string>> parseObjects(
    std::string_view text, const std::string& member);
/// The strings of the array `member` of a JSON object; none when there is no such array. Throws
/// Error(InvalidArgument) when `text` is no object.
[[nodiscard]] std::vector<std::string> parseStrings(std::string_view text,
                                                    const std::string& member);

}  // namespace stratos::testing
