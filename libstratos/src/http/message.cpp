#include "stratos/http/message.hpp"

#include <utility>

#include "http/syntax.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"

namespace stratos::http {
namespace {

Response withType(int status, std::string type, std::string body) {
  Response response;
  response.status = status;
  response.headers.set("Content-Type", std::move(type));
  response.body = Body(std::move(body));
  return response;
}

}  // namespace

std::string_view Request::rawPath() const noexcept {
  return std::string_view{target}.substr(0, target.find('?'));
}

std::string_view Request::rawQuery() const noexcept {
  const auto question = target.find('?');
  return question == std::string::npos ? std::string_view{}
                                       : std::string_view{target}.substr(question + 1);
}

const std::string& Request::pathParam(std::string_view name) const {
  static const std::string kEmpty;
  const auto it = pathParams.find(name);
  return it == pathParams.end() ? kEmpty : it->second;
}

std::optional<std::string> Request::cookie(std::string_view name) const {
  std::optional<std::string> found;
  for (const auto& [field, cookies] : headers) {
    if (!equalsIgnoreCase(field, "Cookie")) continue;
    std::string_view rest = cookies;
    while (!rest.empty()) {
      const auto semicolon = rest.find(';');
      const std::string_view pair = trim(rest.substr(0, semicolon));
      rest = semicolon == std::string_view::npos ? std::string_view{} : rest.substr(semicolon + 1);
      const auto equals = pair.find('=');
      if (equals == std::string_view::npos || trim(pair.substr(0, equals)) != name) continue;
      std::string_view value = trim(pair.substr(equals + 1));
      if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
        value = value.substr(1, value.size() - 2);
      }
      found = std::string(value);
    }
  }
  return found;
}

Response Response::text(int status, std::string body) {
  return withType(status, "text/plain; charset=UTF-8", std::move(body));
}

Response Response::json(int status, std::string body) {
  return withType(status, "application/json; charset=UTF-8", std::move(body));
}

Response Response::empty(int status) {
  Response response;
  response.status = status;
  return response;
}

Response Response::redirect(int status, std::string location) {
  if (detail::hasControls(location)) {
    throw Error(ErrorCode::InvalidArgument, "the redirect target holds control characters");
  }
  Response response = empty(status);
  response.headers.set("Location", std::move(location));
  return response;
}

std::string_view reasonPhrase(int status) noexcept {
  switch (status) {
    case 100:
      return "Continue";
    case 101:
      return "Switching Protocols";
    case 103:
      return "Early Hints";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 203:
      return "Non-Authoritative Information";
    case 204:
      return "No Content";
    case 205:
      return "Reset Content";
    case 206:
      return "Partial Content";
    case 207:
      return "Multi-Status";
    case 300:
      return "Multiple Choices";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 305:
      return "Use Proxy";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 402:
      return "Payment Required";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 407:
      return "Proxy Authentication Required";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 411:
      return "Length Required";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Range Not Satisfiable";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Content";
    case 426:
      return "Upgrade Required";
    case 428:
      return "Precondition Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Unknown";
  }
}

}  // namespace stratos::http
