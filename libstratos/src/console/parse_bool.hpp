#pragma once

#include <optional>
#include <string_view>

namespace stratos::console {

/// The spellings of booleans on this wire: exactly 1 t T TRUE true True 0 f F FALSE false False.
[[nodiscard]] inline std::optional<bool> parseBool(std::string_view text) {
  for (const std::string_view yes : {"1", "t", "T", "TRUE", "true", "True"}) {
    if (text == yes) return true;
  }
  for (const std::string_view no : {"0", "f", "F", "FALSE", "false", "False"}) {
    if (text == no) return false;
  }
  return std::nullopt;
}

}  // namespace stratos::console
