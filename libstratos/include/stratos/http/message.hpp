#pragma once

#include <any>
#include <forward_list>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

#include "stratos/base/export.hpp"
#include "stratos/http/body.hpp"
#include "stratos/http/headers.hpp"

namespace stratos::http {

/// A request as a Handler sees it. `target` is the raw origin-form of the request line: nothing in
/// it has been decoded.
struct STRATOS_EXPORT Request {
  std::string method = "GET";
  std::string target = "/";
  Headers headers;
  Body body;
  std::string peerAddress;    ///< Address of the TCP peer, without port.
  /// Address that a trusted proxy in front of us names; empty when there is none.
  std::string forwardedAddress;
  bool secure = false;        ///< Arrived over TLS (or a trusted proxy says so).
  std::stop_token cancelled;  ///< Set when the browser has gone away or the server is stopping.

  /// Filled by the router: values of `:name` segments, percent-decoded, and the raw rest behind `*`
  /// under "*", untouched.
  std::map<std::string, std::string, std::less<>> pathParams;

  /// What earlier steps of the pipeline learned about the request (the signed-in user, ...).
  /// Keyed by type: at most one value of each.
  template <class T>
  void put(T value) {
    for (auto& [key, known] : context_) {
      if (key == &kKey<T>) {
        known = std::move(value);
        return;
      }
    }
    context_.emplace_front(&kKey<T>, std::move(value));
  }
  template <class T>
  [[nodiscard]] const T* find() const noexcept {
    for (const auto& [key, known] : context_) {
      if (key == &kKey<T>) return std::any_cast<T>(&known);
    }
    return nullptr;
  }

  /// The client's address as far as it can be trusted: the proxy's word or the TCP peer.
  [[nodiscard]] const std::string& clientAddress() const noexcept {
    return forwardedAddress.empty() ? peerAddress : forwardedAddress;
  }
  /// The raw path of `target`, before any '?'.
  [[nodiscard]] std::string_view rawPath() const noexcept;
  /// The raw query of `target`, without the '?'; empty when there is none.
  [[nodiscard]] std::string_view rawQuery() const noexcept;
  /// The path parameter, or an empty string.
  [[nodiscard]] const std::string& pathParam(std::string_view name) const;
  /// The value of a cookie in any Cookie field (RFC 6265 section 4.2); the last one when repeated.
  [[nodiscard]] std::optional<std::string> cookie(std::string_view name) const;

 private:
  template <class T>
  static inline const char kKey = 0;
  /// What find() gives stays where it is.
  std::forward_list<std::pair<const void*, std::any>> context_;
};

/// A response as a Handler gives it. Framing fields (Content-Length, Transfer-Encoding, Connection)
/// are the server's: it sets them from the body.
struct STRATOS_EXPORT Response {
  int status = 200;
  Headers headers;
  Body body;

  /// A body of that type; status 200 unless given.
  [[nodiscard]] static Response text(int status, std::string body);  ///< text/plain, UTF-8
  [[nodiscard]] static Response json(int status, std::string body);  ///< application/json, UTF-8
  [[nodiscard]] static Response empty(int status);
  /// A redirect. Throws Error(InvalidArgument) when `location` holds control characters.
  [[nodiscard]] static Response redirect(int status, std::string location);
};

/// The reason phrase of RFC 9110 section 15, or "Unknown".
[[nodiscard]] STRATOS_EXPORT std::string_view reasonPhrase(int status) noexcept;

/// Anything that answers requests: a route, the router, the whole console.
class STRATOS_EXPORT Handler {
 public:
  virtual ~Handler() = default;
  /// Answers one request. May block, at most as long as the deadlines inside allow. May throw
  /// Error: the step above turns it into a response. Must be callable from any thread.
  [[nodiscard]] virtual Response handle(Request& request) = 0;
};

}  // namespace stratos::http
