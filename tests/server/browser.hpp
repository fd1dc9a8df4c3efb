#pragma once

#include <map>
#include <memory>
#include <string>

#include <Poco/Dynamic/Var.h>

#include "stratos/http/headers.hpp"
#include "stratos/http/transport.hpp"

namespace stratos::server_test {

struct Answer {
  int status = 0;  ///< 0 when there was none.
  std::string detail;
  http::Headers headers;
  std::string body;
  bool complete = false;  ///< The body arrived to its end.

  /// A member of the JSON body by its path, `a.b.0`; empty when there is none.
  [[nodiscard]] Poco::Dynamic::Var json(const std::string& path) const;
  [[nodiscard]] std::string text(const std::string& path) const;
};

/// What a browser does for the front end: keeps cookies, sends the XSRF token with every change.
class Browser {
 public:
  explicit Browser(std::string origin);

  Answer send(const std::string& method, const std::string& target,
              const http::Headers& headers = {}, std::string body = {});
  Answer get(const std::string& target, const http::Headers& headers = {}) {
    return send("GET", target, headers);
  }
  Answer postForm(const std::string& target, const std::map<std::string, std::string>& fields);
  Answer postMultipart(const std::string& target, const std::map<std::string, std::string>& fields);
  Answer remove(const std::string& target) { return send("DELETE", target); }
  /// Signs in and remembers the session.
  Answer login(const std::string& userName, const std::string& password);

  std::map<std::string, std::string> cookies;
  std::string xsrfToken;

 private:
  std::string origin_;
  std::unique_ptr<http::PooledTransport> transport_ = std::make_unique<http::PooledTransport>();
};

/// Sends bytes on a connection of their own and returns everything that comes back until the server
/// closes it, or until `enough` bytes have come.
[[nodiscard]] std::string rawExchange(std::uint16_t port, const std::string& bytes,
                                      std::size_t enough = SIZE_MAX);
/// The status of the first response in `bytes`; 0 when there is none.
[[nodiscard]] int statusOf(const std::string& bytes);

}  // namespace stratos::server_test
