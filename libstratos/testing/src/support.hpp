#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "stratos/testing/fake_upstream.hpp"

namespace stratos::testing {

/// 32 bytes.
[[nodiscard]] std::string sha256(std::string_view text);
/// `bytes` random bytes in hexadecimal.
[[nodiscard]] std::string randomHex(std::size_t bytes);
/// A GUID that is the same at each run.
[[nodiscard]] std::string stableGuid(std::string_view kind, std::string_view name);
/// The token of an Authorization field of the bearer scheme.
[[nodiscard]] std::optional<std::string> bearerToken(const ReceivedRequest& request);
[[nodiscard]] Reply notFoundPage();

}  // namespace stratos::testing
