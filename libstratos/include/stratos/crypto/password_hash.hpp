#pragma once

#include <string>
#include <string_view>

#include "stratos/base/export.hpp"
#include "stratos/base/random.hpp"
#include "stratos/base/secret.hpp"

namespace stratos::crypto {

/// The longest password that bcrypt takes into account.
inline constexpr std::size_t kMaxPasswordBytes = 72;

/// A bcrypt hash (`$2a$...`, which upstream reads). Throws Error(InvalidArgument) when the password
/// is empty, longer than kMaxPasswordBytes or holds a NUL, or when `cost` is outside 4..31.
[[nodiscard]] STRATOS_EXPORT std::string hashPassword(const Secret& password, Random& random,
                                                      int cost = 12);
/// True when `hash` (any of $2a$, $2b$, $2y$) was made from `password`. An unreadable hash is
/// false.
[[nodiscard]] STRATOS_EXPORT bool verifyPassword(const Secret& password, const std::string& hash);

}  // namespace stratos::crypto
