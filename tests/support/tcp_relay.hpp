#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "stratos/base/annotations.hpp"

namespace stratos::testing {

/// Passes TCP connections on to a port of this machine, until some of them are to fall silent: a
/// connection that is there and brings nothing, as behind a firewall that has forgotten it.
///
/// Thread safety: all members may be called concurrently.
/// Lifetime: the destructor closes all connections.
class TcpRelay {
 public:
  explicit TcpRelay(std::uint16_t targetPort);
  ~TcpRelay();
  TcpRelay(const TcpRelay&) = delete;
  TcpRelay& operator=(const TcpRelay&) = delete;

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  /// From now on nothing comes back on the connections on which `LISTEN` was sent, whenever.
  void muteListeners() noexcept { muted_ = true; }

 private:
  void acceptLoop();
  void relay(int client);

  const std::uint16_t targetPort_;
  std::uint16_t port_ = 0;
  int listener_ = -1;
  int stop_ = -1;  ///< An eventfd that is readable once everything has to end.
  std::atomic<bool> muted_ = false;
  Mutex mutex_;
  std::vector<std::thread> relays_ STRATOS_GUARDED_BY(mutex_);
  std::thread acceptor_;
};

}  // namespace stratos::testing
