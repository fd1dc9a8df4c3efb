#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace stratos::server {

/// A client that sends exactly the bytes it is told to. Reads fail after ten seconds.
class TestClient {
 public:
  explicit TestClient(std::uint16_t port);
  ~TestClient();
  TestClient(const TestClient&) = delete;
  TestClient& operator=(const TestClient&) = delete;
  TestClient(TestClient&& other) noexcept;
  TestClient& operator=(TestClient&&) = delete;

  void send(std::string_view bytes) const;
  /// Everything up to and including `marker`; throws when the connection ends first.
  [[nodiscard]] std::string readUntil(std::string_view marker);
  [[nodiscard]] std::string readBytes(std::size_t count);
  /// Head and body of a response with Content-Length or without a body.
  [[nodiscard]] std::string readResponse();
  /// Everything until the server closes. A reset counts as the end.
  [[nodiscard]] std::string readToEnd();
  /// send() and readResponse().
  [[nodiscard]] std::string exchange(std::string_view request);
  void endSending() const;

 private:
  bool receive();

  int descriptor_;
  std::string received_;
};

}  // namespace stratos::server
