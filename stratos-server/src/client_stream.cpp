#include "client_stream.hpp"

#include <array>
#include <cerrno>
#include <cstring>

#include <poll.h>
#include <sys/socket.h>

#include <Poco/Exception.h>
#include <Poco/Net/SecureStreamSocket.h>
#include <openssl/err.h>

#include "stratos/base/error.hpp"
#include "stratos/base/waiting.hpp"

namespace stratos::server {
namespace {

using Poco::Net::SecureStreamSocket;

// Larger pieces give TLS nothing, since a record holds 16 KiB.
constexpr std::size_t kMaxTlsWriteBytes = 256 * 1024;
// So many bytes pass in a row before others have their turn.
constexpr std::size_t kTurnBytes = 512 * 1024;

Poco::Net::StreamSocket prepare(Poco::Net::StreamSocket socket,
                                const Poco::Net::Context::Ptr& tls) {
  socket.setBlocking(false);
  socket.setNoDelay(true);
  if (!tls) return socket;
  return SecureStreamSocket::attach(socket, tls);
}

[[noreturn]] void throwBroken(const std::string& why) {
  throw Error(ErrorCode::Unavailable, "The client's connection broke: " + why);
}

}  // namespace

ClientStream::ClientStream(Poco::Net::StreamSocket accepted, const Poco::Net::Context::Ptr& tls)
    : socket_(prepare(std::move(accepted), tls)),
      secure_(!tls.isNull()),
      descriptor_(socket_.impl()->sockfd()) {}

ClientStream::Io ClientStream::tryRead(char* buffer, std::size_t capacity, std::size_t& count) {
  wantsToWrite_ = false;
  if (!secure_) return tryReadPlain(buffer, capacity, count);
  // SSL_get_error() looks at the thread's error queue, where another connection may have left some.
  ERR_clear_error();
  try {
    const int got = socket_.receiveBytes(buffer, static_cast<int>(capacity));
    if (got > 0) {
      count = static_cast<std::size_t>(got);
      return Io::Done;
    }
    if (got == 0) return Io::Ended;
    wantsToWrite_ = got == SecureStreamSocket::ERR_SSL_WANT_WRITE;
    return Io::WouldBlock;
  } catch (const Poco::Exception& e) {
    throwBroken(e.displayText());
  }
}

ClientStream::Io ClientStream::tryReadPlain(char* buffer, std::size_t capacity,
                                            std::size_t& count) const {
  ssize_t got = 0;
  do {
    got = ::recv(descriptor_, buffer, capacity, 0);
  } while (got < 0 && errno == EINTR);
  if (got == 0) return Io::Ended;
  if (got < 0 && errno == EAGAIN) return Io::WouldBlock;
  if (got < 0) throwBroken(std::strerror(errno));
  count = static_cast<std::size_t>(got);
  return Io::Done;
}

bool ClientStream::tryWrite(std::string_view bytes, std::size_t& count, bool& forReading) {
  forReading = false;
  if (!secure_) {
    // Poco 1.11 throws where a plain socket would block.
    ssize_t sent = 0;
    do {
      sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0 && errno != EAGAIN) throwBroken(std::strerror(errno));
    count = sent > 0 ? static_cast<std::size_t>(sent) : 0;
    return sent > 0;
  }
  ERR_clear_error();
  try {
    const int sent = socket_.sendBytes(
        bytes.data(), static_cast<int>(std::min(bytes.size(), kMaxTlsWriteBytes)));
    forReading = sent == SecureStreamSocket::ERR_SSL_WANT_READ;
    count = sent > 0 ? static_cast<std::size_t>(sent) : 0;
    return sent > 0;
  } catch (const Poco::Exception& e) {
    throwBroken(e.displayText());
  }
}

std::size_t ClientStream::read(char* buffer, std::size_t capacity, Deadline deadline) {
  for (;;) {
    std::size_t count = 0;
    switch (tryRead(buffer, capacity, count)) {
      case Io::Done:
        countPassed(count);
        return count;
      case Io::Ended:
        return 0;
      case Io::WouldBlock:
        wait(wantsToWrite_, deadline);
    }
  }
}

void ClientStream::write(std::string_view bytes, std::chrono::milliseconds patience) {
  while (!bytes.empty()) {
    std::size_t sent = 0;
    bool forReading = false;
    if (tryWrite(bytes, sent, forReading)) {
      bytes.remove_prefix(sent);
      countPassed(sent);
    } else {
      wait(!forReading, Deadline::after(patience));
    }
  }
}

bool ClientStream::hasBufferedInput() const { return secure_ && socket_.impl()->available() > 0; }

void ClientStream::endGently(std::chrono::milliseconds patience,
                             std::size_t discardLimitBytes) noexcept {
  try {
    if (secure_) {
      ERR_clear_error();
      socket_.shutdown();
    }
    if (::shutdown(descriptor_, SHUT_WR) != 0) return;
    // The rest is thrown away, so it need not be decrypted.
    const Deadline deadline = Deadline::after(patience);
    std::array<char, 16 * 1024> buffer{};
    std::size_t discarded = 0;
    while (discarded < discardLimitBytes) {
      const ssize_t got = ::recv(descriptor_, buffer.data(), buffer.size(), 0);
      if (got < 0 && errno == EAGAIN) {
        wait(false, deadline);
        continue;
      }
      if (got <= 0) return;
      discarded += static_cast<std::size_t>(got);
    }
  } catch (const Poco::Exception&) {
    return;  // The peer was faster; the connection is over either way.
  } catch (const Error&) {
    return;
  }
}

void ClientStream::resetOnClose() noexcept {
  const linger now{1, 0};
  static_cast<void>(::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &now, sizeof now));
}

void ClientStream::shutDown() noexcept { static_cast<void>(::shutdown(descriptor_, SHUT_RDWR)); }

void ClientStream::countPassed(std::size_t bytes) {
  passed_ += bytes;
  if (passed_ < kTurnBytes) return;
  passed_ = 0;
  yield();
}

void ClientStream::wait(bool forWriting, Deadline deadline) {
  passed_ = 0;
  const short ready =
      awaitReady(descriptor_, static_cast<short>(forWriting ? POLLOUT : POLLIN), deadline);
  if (ready == 0) {
    throw Error(ErrorCode::DeadlineExceeded,
                forWriting ? "The client stopped reading" : "The client stopped sending");
  }
  if (ready == kWaitCancelled) throw Error(ErrorCode::Cancelled, "The client has gone");
}

}  // namespace stratos::server
