#pragma once

#include <compare>
#include <functional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>

namespace stratos {

/// A GUID of one kind; kinds do not convert into each other.
template <class Tag>
class Id {
 public:
  Id() = default;
  explicit Id(std::string value) : value_(std::move(value)) {}

  [[nodiscard]] const std::string& str() const noexcept { return value_; }
  [[nodiscard]] bool empty() const noexcept { return value_.empty(); }

  friend auto operator<=>(const Id&, const Id&) = default;
  friend bool operator==(const Id&, const Id&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Id& id) { return out << id.value_; }

 private:
  std::string value_;
};

/// A console user: a UAA user GUID, a local user GUID, or one of the constants below.
using UserId = Id<struct UserIdTag>;
/// A registered endpoint ("CNSI GUID" on the wire).
using EndpointId = Id<struct EndpointIdTag>;
/// One row of the token table.
using TokenId = Id<struct TokenIdTag>;

/// Owner of endpoint tokens that everybody may use.
inline constexpr std::string_view kSharedUserGuid = "00000000-1111-2222-3333-444444444444";
/// The user of a console that runs without authentication.
inline constexpr std::string_view kNoAuthUserGuid = "10000000-1111-2222-3333-444444444444";

}  // namespace stratos

template <class Tag>
struct std::hash<stratos::Id<Tag>> {
  std::size_t operator()(const stratos::Id<Tag>& id) const noexcept {
    return std::hash<std::string>{}(id.str());
  }
};
