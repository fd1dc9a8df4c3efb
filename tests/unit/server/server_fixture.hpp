#pragma once

#include <functional>
#include <memory>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "http_server.hpp"
#include "test_client.hpp"

namespace stratos::server {

/// A handler made of a function.
class FunctionHandler final : public http::Handler {
 public:
  explicit FunctionHandler(std::function<http::Response(http::Request&)> function)
      : function_(std::move(function)) {}
  [[nodiscard]] http::Response handle(http::Request& request) override {
    return function_(request);
  }

 private:
  std::function<http::Response(http::Request&)> function_;
};

/// A body made of a function like BodySource::read().
class FunctionSource final : public http::BodySource {
 public:
  explicit FunctionSource(std::function<std::string()> next) : next_(std::move(next)) {}
  /// `next` gives pieces, an empty one at the end.
  std::size_t read(char* buffer, std::size_t capacity) override {
    const std::string piece = next_();
    return piece.copy(buffer, capacity);
  }

 private:
  std::function<std::string()> next_;
};

/// A server on a free loopback port.
class HttpServerFixture : public ::testing::Test {
 protected:
  void start(std::function<http::Response(http::Request&)> function,
             HttpServerOptions options = {}) {
    handler_ = std::make_unique<FunctionHandler>(std::move(function));
    server_ = std::make_unique<HttpServer>(*handler_, log_, options);
    static_cast<void>(server_->listen({"127.0.0.1", 0}));
    server_->start();
  }
  [[nodiscard]] TestClient connect() const { return TestClient(server_->port()); }

  NullLogSink log_;
  std::unique_ptr<FunctionHandler> handler_;
  std::unique_ptr<HttpServer> server_;
};

/// Answers with method, target and body.
inline http::Response echo(http::Request& request) {
  std::string text = request.method + " " + request.target + " ";
  text += request.body.readAll(64 * 1024 * 1024);
  return http::Response::text(200, std::move(text));
}

}  // namespace stratos::server
