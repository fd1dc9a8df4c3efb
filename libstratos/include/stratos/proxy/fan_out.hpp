#pragma once

#include <map>
#include <string>
#include <string_view>

#include "stratos/base/export.hpp"

namespace stratos::proxy {

/// One member of the answer to a call of several endpoints.
struct STRATOS_EXPORT FanOutEntry {
  /// Endpoint answered: its status and its whole body.
  [[nodiscard]] static FanOutEntry answered(int status, std::string_view reason, std::string body);
  /// No answer to give: an error object with that status, text and reason.
  [[nodiscard]] static FanOutEntry failed(int status, std::string_view statusText,
                                          std::string_view reason);
  /// The endpoint's answer ended before its time.
  [[nodiscard]] static FanOutEntry brokenOff(std::string_view reason);
  /// No token of this user for this endpoint.
  [[nodiscard]] static FanOutEntry noToken();
  /// The endpoint is still busy with a long-running operation.
  [[nodiscard]] static FanOutEntry stillRunning();

  std::string json;  ///< Compact JSON: the endpoint's body, an error object, or null.
};

/// The whole answer: one object, keys sorted, a newline at its end.
[[nodiscard]] STRATOS_EXPORT std::string fanOutBody(
    const std::map<std::string, FanOutEntry>& entries);

/// `text` without white space between tokens and with `<`, `>` and `&` escaped. Numbers keep their
/// bytes, duplicate keys stay, depth is not limited. False when `text` is not one JSON value in
/// valid UTF-8, or holds half a surrogate pair in an escape or a number beyond a double: no browser
/// could read either back.
[[nodiscard]] STRATOS_EXPORT bool compactJson(std::string_view text, std::string& out);
/// `text` as a JSON string with its quotes; malformed UTF-8 is replaced.
[[nodiscard]] STRATOS_EXPORT std::string jsonString(std::string_view text);

}  // namespace stratos::proxy
