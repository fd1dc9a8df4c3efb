#include "console/error_response.hpp"

#include "stratos/base/json_writer.hpp"

namespace stratos::console {

http::Response jsonError(int status, std::string_view text) {
  JsonWriter json;
  json.beginObject().member("status", "error").member("error", text).endObject();
  return http::Response::text(status, json.str());
}

http::Response responseFor(const Error& error) {
  switch (error.code()) {
    case ErrorCode::InvalidArgument:
    case ErrorCode::AlreadyExists:
      return jsonError(400, error.publicMessage());
    case ErrorCode::NotFound:
      return jsonError(404, error.publicMessage());
    case ErrorCode::Unauthenticated:
      return jsonError(401, error.publicMessage());
    case ErrorCode::PermissionDenied:
      return jsonError(403, error.publicMessage());
    case ErrorCode::Unavailable:
    case ErrorCode::Cancelled:
      return jsonError(503, error.publicMessage());
    case ErrorCode::DeadlineExceeded:
      return jsonError(504, error.publicMessage());
    case ErrorCode::Internal:
      break;
  }
  return http::Response::text(500, "Internal Server Error");
}

}  // namespace stratos::console
