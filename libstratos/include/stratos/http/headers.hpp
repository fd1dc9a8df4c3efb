#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "stratos/base/export.hpp"

namespace stratos::http {

/// Header fields in their order, with their spelling; names compare without regard to case.
/// Values are bytes as received: no decoding of any kind (RFC 9110 section 5.5). A value.
///
/// All text stands in one piece of memory: what find(), get(), all() and an iterator give is valid
/// until the fields are changed next.
class STRATOS_EXPORT Headers {
  struct Place;

 public:
  using Field = std::pair<std::string, std::string>;
  using FieldView = std::pair<std::string_view, std::string_view>;

  /// Gives name and value of each field.
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = FieldView;
    using difference_type = std::ptrdiff_t;
    using reference = FieldView;
    struct pointer {
      FieldView field;
      const FieldView* operator->() const noexcept { return &field; }
    };

    FieldView operator*() const noexcept { return place_->in(text_); }
    pointer operator->() const noexcept { return {**this}; }
    Iterator& operator++() noexcept {
      ++place_;
      return *this;
    }
    Iterator operator++(int) noexcept { return {place_++, text_}; }
    friend bool operator==(const Iterator& a, const Iterator& b) noexcept {
      return a.place_ == b.place_;
    }

   private:
    friend class Headers;
    Iterator(const Place* place, const char* text) noexcept : place_(place), text_(text) {}
    const Place* place_;
    const char* text_;
  };

  Headers() = default;
  Headers(std::initializer_list<Field> fields);

  /// Appends a field. Throws Error(InvalidArgument) when the name is no token or the value holds
  /// CR, LF or NUL: this is the one gate against header injection.
  void add(std::string_view name, std::string_view value);
  /// Replaces all fields of that name by one.
  void set(std::string_view name, std::string_view value);
  void remove(std::string_view name);
  /// Makes room for that many more fields whose names and values have that many bytes.
  void reserve(std::size_t fields, std::size_t bytes);

  /// The first value, or empty when there is none.
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const noexcept;
  /// The first value, or `fallback`.
  [[nodiscard]] std::string_view get(std::string_view name,
                                     std::string_view fallback = {}) const noexcept;
  [[nodiscard]] bool has(std::string_view name) const noexcept;
  /// Every value of that name, in order.
  [[nodiscard]] std::vector<std::string_view> all(std::string_view name) const;
  /// How many fields of that name there are.
  [[nodiscard]] std::size_t count(std::string_view name) const noexcept;
  /// True when one of the comma separated elements of the field equals `token` (case-insensitive).
  [[nodiscard]] bool hasToken(std::string_view name, std::string_view token) const;

  [[nodiscard]] std::size_t size() const noexcept { return places_.size(); }
  [[nodiscard]] bool empty() const noexcept { return places_.empty(); }
  [[nodiscard]] Iterator begin() const noexcept { return {places_.data(), text_.data()}; }
  [[nodiscard]] Iterator end() const noexcept {
    return {places_.data() + places_.size(), text_.data()};
  }

 private:
  /// Where a field stands: its name, and behind it its value.
  struct Place {
    std::uint32_t offset;
    std::uint32_t nameLength;
    std::uint32_t valueLength;

    [[nodiscard]] std::string_view name(const char* text) const noexcept {
      return {text + offset, nameLength};
    }
    [[nodiscard]] std::string_view value(const char* text) const noexcept {
      return {text + offset + nameLength, valueLength};
    }
    [[nodiscard]] FieldView in(const char* text) const noexcept {
      return {name(text), value(text)};
    }
  };

  Place append(std::string_view name, std::string_view value);

  std::string text_;
  std::vector<Place> places_;
};

}  // namespace stratos::http
