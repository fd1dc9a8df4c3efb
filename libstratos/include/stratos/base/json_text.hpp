#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "stratos/base/export.hpp"

namespace stratos {

/// The text at `path` of a JSON document (RFC 8259): names of members and indices of arrays with
/// slashes between them, "data/result/0/metric/job". Empty when the document is malformed, or when
/// there is nothing or no text. For small documents: each call parses, without recursion.
[[nodiscard]] STRATOS_EXPORT std::optional<std::string> findJsonText(std::string_view document,
                                                                     std::string_view path);
/// The same for a whole number.
[[nodiscard]] STRATOS_EXPORT std::optional<std::int64_t> findJsonInteger(std::string_view document,
                                                                         std::string_view path);
/// Whether `document` is a JSON object, or an array.
[[nodiscard]] STRATOS_EXPORT bool isJsonObject(std::string_view document);
[[nodiscard]] STRATOS_EXPORT bool isJsonArray(std::string_view document);

}  // namespace stratos
