#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include "stratos/base/export.hpp"

namespace stratos {

/// What a catcher can do about an Error; few and final.
enum class ErrorCode {
  InvalidArgument,   ///< The caller's input is wrong; the public message says how to mend it.
  NotFound,          ///< The thing named does not exist (or is not visible to the caller).
  AlreadyExists,     ///< The change collides with something that is there.
  Unauthenticated,   ///< Nobody is signed in, or the credentials were refused.
  PermissionDenied,  ///< Signed in, but not allowed.
  Unavailable,       ///< A collaborator (database, UAA, endpoint) cannot be reached; may pass.
  DeadlineExceeded,  ///< Took longer than the caller allowed.
  Cancelled,         ///< The caller went away, or the process is stopping.
  Internal,          ///< A defect or a broken environment; nothing the caller can mend.
};

/// The name of a code as it appears in logs, for example "not_found".
[[nodiscard]] STRATOS_EXPORT std::string_view toString(ErrorCode code) noexcept;

/// The one exception type that leaves this library.
///
/// what() is for the log and may name hosts and causes; publicMessage() is for the browser. Neither
/// holds a secret: callers build both from text that is safe to print.
/// Thread safety: immutable.
class STRATOS_EXPORT Error : public std::runtime_error {
 public:
  /// An error whose public message is `detail` for the codes that describe the caller's own input
  /// (InvalidArgument, NotFound, AlreadyExists, PermissionDenied) and a general phrase otherwise.
  Error(ErrorCode code, const std::string& detail);
  /// An error with a text for the log and another one for the browser.
  Error(ErrorCode code, const std::string& detail, std::string publicMessage);

  [[nodiscard]] ErrorCode code() const noexcept { return code_; }
  [[nodiscard]] const std::string& publicMessage() const noexcept { return publicMessage_; }
  /// True when the same call may succeed later without any change by the caller.
  [[nodiscard]] bool isRetryable() const noexcept;

 private:
  ErrorCode code_;
  std::string publicMessage_;
};

}  // namespace stratos
