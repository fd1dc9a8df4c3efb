#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include <Poco/Net/Context.h>
#include <Poco/Net/StreamSocket.h>

#include "stratos/base/deadline.hpp"

namespace stratos::server {

/// An accepted connection, plain or TLS, as bytes. The socket never blocks; the waiting members
/// wait (stratos/base/waiting.hpp) with a deadline of their own, so a peer that sends one byte of a TLS record a minute cannot
/// hold a thread longer than that.
///
/// One thread at a time, except shutDown().
class ClientStream {
 public:
  enum class Io { Done, WouldBlock, Ended };

  /// `tls` is null for a plain connection. The handshake happens in the first read.
  ClientStream(Poco::Net::StreamSocket accepted, const Poco::Net::Context::Ptr& tls);

  /// Reads what is there; `count` is set for Done. Throws Error(Unavailable) when the connection or
  /// its TLS layer is broken.
  [[nodiscard]] Io tryRead(char* buffer, std::size_t capacity, std::size_t& count);
  /// Waits for at least one byte; 0 means that the peer has ended. Throws Error: Unavailable,
  /// DeadlineExceeded, Cancelled.
  [[nodiscard]] std::size_t read(char* buffer, std::size_t capacity, Deadline deadline);
  /// Writes everything; `patience` is the longest time without progress. Throws like read().
  void write(std::string_view bytes, std::chrono::milliseconds patience);
  /// Decrypted bytes are waiting inside the TLS layer, where epoll does not see them.
  [[nodiscard]] bool hasBufferedInput() const;
  /// The TLS layer waits to write before it can go on reading.
  [[nodiscard]] bool wantsToWrite() const noexcept { return wantsToWrite_; }

  /// Tells the peer that nothing more follows, and discards what it still sends for a moment, so
  /// that the last response is not lost in a reset.
  void endGently(std::chrono::milliseconds patience, std::size_t discardLimitBytes) noexcept;
  /// The connection will end with a reset instead of an orderly end.
  void resetOnClose() noexcept;
  /// Makes every read and write fail from now on. Callable from another thread while the stream is
  /// alive.
  void shutDown() noexcept;

  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }
  [[nodiscard]] bool isSecure() const noexcept { return secure_; }

 private:
  [[nodiscard]] Io tryReadPlain(char* buffer, std::size_t capacity, std::size_t& count) const;
  /// False when it would block, for a read of the TLS layer if `forReading`.
  [[nodiscard]] bool tryWrite(std::string_view bytes, std::size_t& count, bool& forReading);
  void wait(bool forWriting, Deadline deadline);
  /// Lets others run when much has passed without a wait.
  void countPassed(std::size_t bytes);

  Poco::Net::StreamSocket socket_;
  bool secure_;
  bool wantsToWrite_ = false;
  std::size_t passed_ = 0;  ///< Bytes since the last wait.
  int descriptor_;
};

}  // namespace stratos::server
