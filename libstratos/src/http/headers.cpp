#include "stratos/http/headers.hpp"

#include <algorithm>
#include <functional>
#include <limits>

#include "http/syntax.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"

namespace stratos::http {
namespace {

// What a message usually has.
constexpr std::size_t kFields = 16;
constexpr std::size_t kBytes = 500;

void check(std::string_view name, std::string_view value) {
  if (!detail::isToken(name)) {
    throw Error(ErrorCode::InvalidArgument, "a header field has a malformed name");
  }
  constexpr auto kNone = std::string_view::npos;
  if (value.find('\r') != kNone || value.find('\n') != kNone || value.find('\0') != kNone) {
    throw Error(ErrorCode::InvalidArgument,
                "the header field " + std::string(name) + " holds a line break or a NUL");
  }
}

bool isInside(const std::string& text, std::string_view part) {
  const std::less<> before;
  return !before(part.data(), text.data()) && before(part.data(), text.data() + text.size());
}

}  // namespace

Headers::Headers(std::initializer_list<Field> fields) {
  for (const auto& [name, value] : fields) add(name, value);
}

void Headers::reserve(std::size_t fields, std::size_t bytes) {
  places_.reserve(places_.size() + fields);
  text_.reserve(text_.size() + bytes);
}

Headers::Place Headers::append(std::string_view name, std::string_view value) {
  const std::size_t begin = text_.size();
  const std::size_t bytes = name.size() + value.size();
  if (bytes > std::numeric_limits<std::uint32_t>::max() - begin) {
    throw Error(ErrorCode::InvalidArgument, "the header fields are too long");
  }
  if (begin + bytes <= text_.capacity()) {
    text_.append(name).append(value);
  } else {
    // The arguments may stand in the old text.
    std::string grown;
    grown.reserve(std::max(kBytes, 2 * (begin + bytes)));
    grown.append(text_).append(name).append(value);
    text_.swap(grown);
  }
  return {static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(name.size()),
          static_cast<std::uint32_t>(value.size())};
}

void Headers::add(std::string_view name, std::string_view value) {
  check(name, value);
  if (places_.empty()) places_.reserve(kFields);
  places_.push_back(append(name, value));
}

void Headers::set(std::string_view name, std::string_view value) {
  check(name, value);
  const auto same = [this, name](const Place& place) {
    return equalsIgnoreCase(place.name(text_.data()), name);
  };
  const auto first = std::find_if(places_.begin(), places_.end(), same);
  if (first == places_.end()) {
    if (places_.empty()) places_.reserve(kFields);
    places_.push_back(append(name, value));
    return;
  }
  places_.erase(std::remove_if(first + 1, places_.end(), same), places_.end());
  const bool fits = name.size() + value.size() <= first->nameLength + first->valueLength;
  if (!fits || isInside(text_, name) || isInside(text_, value)) {
    *first = append(name, value);
    return;
  }
  // So that replacing a field again and again takes no more memory.
  std::copy(name.begin(), name.end(), text_.begin() + first->offset);
  first->nameLength = static_cast<std::uint32_t>(name.size());
  std::copy(value.begin(), value.end(), text_.begin() + first->offset + first->nameLength);
  first->valueLength = static_cast<std::uint32_t>(value.size());
}

void Headers::remove(std::string_view name) {
  std::erase_if(places_, [this, name](const Place& place) {
    return equalsIgnoreCase(place.name(text_.data()), name);
  });
}

std::optional<std::string_view> Headers::find(std::string_view name) const noexcept {
  for (const Place& place : places_) {
    if (equalsIgnoreCase(place.name(text_.data()), name)) return place.value(text_.data());
  }
  return std::nullopt;
}

std::string_view Headers::get(std::string_view name, std::string_view fallback) const noexcept {
  return find(name).value_or(fallback);
}

bool Headers::has(std::string_view name) const noexcept { return find(name).has_value(); }

std::vector<std::string_view> Headers::all(std::string_view name) const {
  std::vector<std::string_view> values;
  for (const auto& [field, value] : *this) {
    if (equalsIgnoreCase(field, name)) values.emplace_back(value);
  }
  return values;
}

std::size_t Headers::count(std::string_view name) const noexcept {
  std::size_t found = 0;
  for (const Place& place : places_) {
    if (equalsIgnoreCase(place.name(text_.data()), name)) ++found;
  }
  return found;
}

bool Headers::hasToken(std::string_view name, std::string_view token) const {
  for (const auto& [field, value] : *this) {
    if (!equalsIgnoreCase(field, name)) continue;
    for (std::string_view rest = value;;) {
      const auto comma = rest.find(',');
      if (equalsIgnoreCase(trim(rest.substr(0, comma)), token)) return true;
      if (comma == std::string_view::npos) break;
      rest.remove_prefix(comma + 1);
    }
  }
  return false;
}

}  // namespace stratos::http
