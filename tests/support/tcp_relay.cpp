#include "tcp_relay.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string_view>

#include "stratos/base/error.hpp"

namespace stratos::testing {

namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

/// The socket interface is written in terms of sockaddr.
sockaddr* generic(sockaddr_in& address) { return reinterpret_cast<sockaddr*>(&address); }

bool sendAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

}  // namespace

TcpRelay::TcpRelay(std::uint16_t targetPort) : targetPort_(targetPort) {
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  stop_ = ::eventfd(0, EFD_CLOEXEC);
  if (listener_ < 0 || stop_ < 0 || ::bind(listener_, generic(address), size) != 0 ||
      ::listen(listener_, 64) != 0 || ::getsockname(listener_, generic(address), &size) != 0) {
    throw Error(ErrorCode::Internal, "the relay cannot listen");
  }
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { acceptLoop(); });
}

TcpRelay::~TcpRelay() {
  const std::uint64_t one = 1;
  (void)!::write(stop_, &one, sizeof one);
  acceptor_.join();
  std::vector<std::thread> relays;
  {
    const MutexLock lock(mutex_);
    relays.swap(relays_);
  }
  for (std::thread& each : relays) each.join();
  ::close(listener_);
  ::close(stop_);
}

void TcpRelay::acceptLoop() {
  for (;;) {
    std::array<pollfd, 2> descriptors{{{listener_, POLLIN, 0}, {stop_, POLLIN, 0}}};
    if (::poll(descriptors.data(), descriptors.size(), -1) < 0) continue;
    if (descriptors[1].revents != 0) return;
    const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) continue;
    const MutexLock lock(mutex_);
    relays_.emplace_back([this, client] { relay(client); });
  }
}

void TcpRelay::relay(int client) {
  sockaddr_in address = loopback(targetPort_);
  const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  bool isOpen = server >= 0 && ::connect(server, generic(address), sizeof address) == 0;
  bool isListener = false;
  std::array<char, 16'384> bytes{};
  while (isOpen) {
    std::array<pollfd, 3> descriptors{
        {{client, POLLIN, 0}, {server, POLLIN, 0}, {stop_, POLLIN, 0}}};
    if (::poll(descriptors.data(), descriptors.size(), -1) < 0) continue;
    if (descriptors[2].revents != 0) break;
    for (const std::size_t side : {0, 1}) {
      if (!isOpen || descriptors[side].revents == 0) continue;
      const auto count = ::recv(descriptors[side].fd, bytes.data(), bytes.size(), 0);
      if (count <= 0) {
        isOpen = false;
        continue;
      }
      const std::string_view piece(bytes.data(), static_cast<std::size_t>(count));
      if (side == 0) isListener |= piece.find("LISTEN ") != std::string_view::npos;
      if (side == 1 && isListener && muted_) continue;
      isOpen = sendAll(side == 0 ? server : client, piece);
    }
  }
  if (server >= 0) ::close(server);
  ::close(client);
}

}  // namespace stratos::testing
