#include "browser.hpp"

#include <Poco/Exception.h>
#include <Poco/JSON/Object.h>
#include <Poco/JSON/Parser.h>
#include <Poco/JSON/Query.h>
#include <Poco/Net/NetException.h>
#include <Poco/Net/SocketAddress.h>
#include <Poco/Net/StreamSocket.h>

#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"

namespace stratos::server_test {

namespace {
constexpr std::size_t kBodyLimit = 64 * 1024 * 1024;
}

Poco::Dynamic::Var Answer::json(const std::string& path) const {
  try {
    Poco::JSON::Parser parser;
    return Poco::JSON::Query(parser.parse(body)).find(path);
  } catch (const Poco::Exception&) {
    return {};
  }
}

std::string Answer::text(const std::string& path) const {
  const auto value = json(path);
  return value.isEmpty() ? std::string{} : value.toString();
}

Browser::Browser(std::string origin) : origin_(std::move(origin)) {}

Answer Browser::send(const std::string& method, const std::string& target,
                     const http::Headers& headers, std::string body) {
  http::ClientRequest request{.method = method,
                              .url = Url::parse(origin_),
                              .headers = headers,
                              .body = std::move(body),
                              .trust = {.skipVerification = true, .caCertificatePem = {}},
                              .deadline = Deadline::after(std::chrono::seconds{60})};
  const auto question = target.find('?');
  request.url = request.url.withPath(
      target.substr(0, question), question == std::string::npos ? "" : target.substr(question + 1));
  std::string cookie;
  for (const auto& [name, value] : cookies)
    cookie += (cookie.empty() ? "" : "; ") + name + "=" + value;
  if (!cookie.empty()) request.headers.set("Cookie", cookie);
  if (method != "GET" && method != "HEAD" && !request.headers.has("X-Xsrf-Token")) {
    request.headers.set("X-Xsrf-Token", xsrfToken);
  }
  http::ClientResponse response = transport_->send(std::move(request));
  Answer answer;
  answer.status = response.failed() ? 0 : response.status;
  answer.detail = response.detail;
  answer.headers = response.headers;
  if (response.failed()) return answer;
  try {
    answer.body = response.body.readAll(kBodyLimit);
    answer.complete = true;
  } catch (const Error& error) {
    answer.detail = error.what();
  }
  for (const auto& line : answer.headers.all("set-cookie")) {
    const std::string pair{line.substr(0, line.find(';'))};
    const auto equals = pair.find('=');
    const std::string name = pair.substr(0, equals);
    const std::string value = pair.substr(equals + 1);
    if (value.empty()) {
      cookies.erase(name);
    } else {
      cookies[name] = value;
    }
  }
  if (const auto token = answer.headers.find("x-xsrf-token")) xsrfToken = std::string{*token};
  return answer;
}

Answer Browser::postForm(const std::string& target,
                         const std::map<std::string, std::string>& fields) {
  return send("POST", target, {{"Content-Type", "application/x-www-form-urlencoded"}},
              encodeForm({fields.begin(), fields.end()}));
}

Answer Browser::postMultipart(const std::string& target,
                              const std::map<std::string, std::string>& fields) {
  const std::string boundary = "----front-end-boundary-7";
  std::string body;
  for (const auto& [name, value] : fields) {
    body += "--" + boundary + "\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" +
            value + "\r\n";
  }
  body += "--" + boundary + "--\r\n";
  return send("POST", target, {{"Content-Type", "multipart/form-data; boundary=" + boundary}},
              body);
}

Answer Browser::login(const std::string& userName, const std::string& password) {
  return postForm("/pp/v1/auth/login/uaa", {{"username", userName}, {"password", password}});
}

std::string rawExchange(std::uint16_t port, const std::string& bytes, std::size_t enough) {
  Poco::Net::StreamSocket socket{Poco::Net::SocketAddress{"127.0.0.1", port}};
  socket.setReceiveTimeout(Poco::Timespan{30, 0});
  std::string received;
  try {
    std::size_t sent = 0;
    while (sent < bytes.size()) {
      sent += static_cast<std::size_t>(
          socket.sendBytes(bytes.data() + sent, static_cast<int>(bytes.size() - sent)));
    }
  } catch (const Poco::Exception&) {
    // The server may refuse before it has read everything; its answer is read all the same.
  }
  try {
    char buffer[4096];
    while (received.size() < enough) {
      const int count = socket.receiveBytes(buffer, sizeof buffer);
      if (count <= 0) break;
      received.append(buffer, static_cast<std::size_t>(count));
    }
  } catch (const Poco::TimeoutException&) {
    received += "(still open)";
  } catch (const Poco::Exception&) {
    // A reset ends the connection as well.
  }
  return received;
}

int statusOf(const std::string& bytes) {
  return bytes.starts_with("HTTP/1.1 ") ? std::atoi(bytes.c_str() + 9) : 0;
}

}  // namespace stratos::server_test
