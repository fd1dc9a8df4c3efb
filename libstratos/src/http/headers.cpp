#include "stratos/http/headers.hpp"

#include <algorithm>

#include "http/syntax.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"

namespace stratos::http {
namespace {

void check(const std::string& name, const std::string& value) {
  if (!detail::isToken(name)) {
    throw Error(ErrorCode::InvalidArgument, "a header field has a malformed name");
  }
  const auto isForbidden = [](char c) { return c == '\r' || c == '\n' || c == '\0'; };
  if (std::any_of(value.begin(), value.end(), isForbidden)) {
    throw Error(ErrorCode::InvalidArgument,
                "the header field " + name + " holds a line break or a NUL");
  }
}

}  // namespace

Headers::Headers(std::initializer_list<Field> fields) {
  fields_.reserve(fields.size());
  for (const auto& [name, value] : fields) add(name, value);
}

void Headers::add(std::string name, std::string value) {
  check(name, value);
  fields_.emplace_back(std::move(name), std::move(value));
}

void Headers::set(std::string name, std::string value) {
  check(name, value);
  const auto same = [&name](const Field& field) { return equalsIgnoreCase(field.first, name); };
  const auto first = std::find_if(fields_.begin(), fields_.end(), same);
  if (first == fields_.end()) {
    fields_.emplace_back(std::move(name), std::move(value));
    return;
  }
  fields_.erase(std::remove_if(first + 1, fields_.end(), same), fields_.end());
  *first = Field(std::move(name), std::move(value));
}

void Headers::remove(std::string_view name) {
  std::erase_if(fields_,
                [name](const Field& field) { return equalsIgnoreCase(field.first, name); });
}

std::optional<std::string_view> Headers::find(std::string_view name) const noexcept {
  for (const Field& field : fields_) {
    if (equalsIgnoreCase(field.first, name)) return field.second;
  }
  return std::nullopt;
}

std::string_view Headers::get(std::string_view name, std::string_view fallback) const noexcept {
  return find(name).value_or(fallback);
}

bool Headers::has(std::string_view name) const noexcept { return find(name).has_value(); }

std::vector<std::string_view> Headers::all(std::string_view name) const {
  std::vector<std::string_view> values;
  for (const Field& field : fields_) {
    if (equalsIgnoreCase(field.first, name)) values.emplace_back(field.second);
  }
  return values;
}

bool Headers::hasToken(std::string_view name, std::string_view token) const {
  for (const Field& field : fields_) {
    if (!equalsIgnoreCase(field.first, name)) continue;
    for (std::string_view rest = field.second;;) {
      const auto comma = rest.find(',');
      if (equalsIgnoreCase(trim(rest.substr(0, comma)), token)) return true;
      if (comma == std::string_view::npos) break;
      rest.remove_prefix(comma + 1);
    }
  }
  return false;
}

}  // namespace stratos::http
