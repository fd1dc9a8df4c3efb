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

namespace stratos::server {
namespace {

using Poco::Net::SecureStreamSocket;

// Larger pieces give TLS nothing, since a record holds 16 KiB.
constexpr std::size_t kMaxWriteBytes = 256 * 1024;

Poco::Net::StreamSocket prepare(Poco::Net::StreamSocket socket,
                                const Poco::Net::Context::Ptr& tls) {
  socket.setBlocking(false);
  socket.setNoDelay(true);
  if (!tls) return socket;
  return SecureStreamSocket::attach(socket, tls);
}

[[noreturn]] void throwBroken(const Poco::Exception& e) {
  throw Error(ErrorCode::Unavailable, "The client's connection broke: " + e.displayText());
}

}  // namespace

ClientStream::ClientStream(Poco::Net::StreamSocket accepted, const Poco::Net::Context::Ptr& tls)
    : socket_(prepare(std::move(accepted), tls)),
      secure_(!tls.isNull()),
      descriptor_(socket_.impl()->sockfd()) {}

ClientStream::Io ClientStream::tryRead(char* buffer, std::size_t capacity, std::size_t& count) {
  wantsToWrite_ = false;
  // SSL_get_error() looks at the thread's error queue, where another connection may have left some.
  if (secure_) ERR_clear_error();
  try {
    const int got = socket_.receiveBytes(buffer, static_cast<int>(capacity));
    if (got > 0) {
      count = static_cast<std::size_t>(got);
      return Io::Done;
    }
    if (got == 0) return Io::Ended;
    wantsToWrite_ = secure_ && got == SecureStreamSocket::ERR_SSL_WANT_WRITE;
    return Io::WouldBlock;
  } catch (const Poco::Exception& e) {
    throwBroken(e);
  }
}

std::size_t ClientStream::read(char* buffer, std::size_t capacity, Deadline deadline) {
  for (;;) {
    std::size_t count = 0;
    switch (tryRead(buffer, capacity, count)) {
      case Io::Done:
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
    const auto piece = static_cast<int>(std::min(bytes.size(), kMaxWriteBytes));
    if (secure_) ERR_clear_error();
    int sent = 0;
    try {
      sent = socket_.sendBytes(bytes.data(), piece);
    } catch (const Poco::Exception& e) {
      throwBroken(e);
    }
    if (sent > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else {
      const bool forReading = secure_ && sent == SecureStreamSocket::ERR_SSL_WANT_READ;
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
      wait(false, deadline);
      const ssize_t got = ::recv(descriptor_, buffer.data(), buffer.size(), 0);
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

void ClientStream::wait(bool forWriting, Deadline deadline) const {
  for (;;) {
    pollfd entry{descriptor_, static_cast<short>(forWriting ? POLLOUT : POLLIN), 0};
    const auto left = deadline.remaining();
    const int ready = ::poll(&entry, 1, static_cast<int>(left.count()));
    if (ready > 0) return;
    if (ready == 0 && deadline.hasPassed()) {
      throw Error(ErrorCode::DeadlineExceeded,
                  forWriting ? "The client stopped reading" : "The client stopped sending");
    }
    if (ready < 0 && errno != EINTR) {
      throw Error(ErrorCode::Internal, std::string("poll: ") + std::strerror(errno));
    }
  }
}

}  // namespace stratos::server
