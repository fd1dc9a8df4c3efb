#include "stratos/base/error.hpp"

#include <utility>

namespace stratos {
namespace {

std::string defaultPublicMessage(ErrorCode code, const std::string& detail) {
  switch (code) {
    case ErrorCode::InvalidArgument:
    case ErrorCode::NotFound:
    case ErrorCode::AlreadyExists:
    case ErrorCode::PermissionDenied:
      return detail;
    case ErrorCode::Unauthenticated:
      return "Authentication is required";
    case ErrorCode::Unavailable:
      return "A service that is needed for this cannot be reached at the moment";
    case ErrorCode::DeadlineExceeded:
      return "The request took too long";
    case ErrorCode::Cancelled:
      return "The request was cancelled";
    case ErrorCode::Internal:
      break;
  }
  return "Internal error";
}

}  // namespace

std::string_view toString(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::InvalidArgument:
      return "invalid_argument";
    case ErrorCode::NotFound:
      return "not_found";
    case ErrorCode::AlreadyExists:
      return "already_exists";
    case ErrorCode::Unauthenticated:
      return "unauthenticated";
    case ErrorCode::PermissionDenied:
      return "permission_denied";
    case ErrorCode::Unavailable:
      return "unavailable";
    case ErrorCode::DeadlineExceeded:
      return "deadline_exceeded";
    case ErrorCode::Cancelled:
      return "cancelled";
    case ErrorCode::Internal:
      break;
  }
  return "internal";
}

Error::Error(ErrorCode code, const std::string& detail)
    : Error(code, detail, defaultPublicMessage(code, detail)) {}

Error::Error(ErrorCode code, const std::string& detail, std::string publicMessage)
    : std::runtime_error(detail), code_(code), publicMessage_(std::move(publicMessage)) {}

bool Error::isRetryable() const noexcept {
  return code_ == ErrorCode::Unavailable || code_ == ErrorCode::DeadlineExceeded;
}

}  // namespace stratos
