#include "test_client.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

namespace stratos::server {

TestClient::TestClient(std::uint16_t port)
    : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const timeval limit{10, 0};
  ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const int cause = errno;
    ::close(descriptor_);
    throw std::runtime_error(std::string("connect: ") + std::strerror(cause));
  }
}

TestClient::~TestClient() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

TestClient::TestClient(TestClient&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), received_(std::move(other.received_)) {}

void TestClient::send(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) throw std::runtime_error(std::string("send: ") + std::strerror(errno));
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

bool TestClient::receive() {
  std::array<char, 16 * 1024> buffer{};
  const ssize_t got = ::recv(descriptor_, buffer.data(), buffer.size(), 0);
  if (got < 0 && errno != ECONNRESET) {
    throw std::runtime_error(std::string("recv: ") + std::strerror(errno));
  }
  if (got <= 0) return false;
  received_.append(buffer.data(), static_cast<std::size_t>(got));
  return true;
}

std::string TestClient::readUntil(std::string_view marker) {
  std::size_t at = 0;
  while ((at = received_.find(marker)) == std::string::npos) {
    if (!receive()) throw std::runtime_error("the server closed after: " + received_);
  }
  std::string text = received_.substr(0, at + marker.size());
  received_.erase(0, at + marker.size());
  return text;
}

std::string TestClient::readBytes(std::size_t count) {
  while (received_.size() < count) {
    if (!receive()) throw std::runtime_error("the server closed after: " + received_);
  }
  std::string text = received_.substr(0, count);
  received_.erase(0, count);
  return text;
}

std::string TestClient::readResponse() {
  std::string text = readUntil("\r\n\r\n");
  constexpr std::string_view kLength = "Content-Length: ";
  const std::size_t at = text.find(kLength);
  if (at != std::string::npos) text += readBytes(std::stoul(text.substr(at + kLength.size())));
  return text;
}

std::string TestClient::readToEnd() {
  while (receive()) {
  }
  return std::exchange(received_, {});
}

std::string TestClient::exchange(std::string_view request) {
  send(request);
  return readResponse();
}

void TestClient::endSending() const { ::shutdown(descriptor_, SHUT_WR); }

}  // namespace stratos::server
