#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <Poco/Net/Context.h>
#include <Poco/Net/StreamSocket.h>
#include <openssl/ssl.h>

#include "stratos/base/annotations.hpp"
#include "stratos/base/deadline.hpp"
#include "stratos/base/waiting.hpp"
#include "stratos/http/transport.hpp"

namespace stratos::http::detail {

/// Why there is no connection, or no more of it.
struct Failure {
  TransportFailure kind = TransportFailure::None;
  std::string detail;
};

/// The TLS settings of each trust policy, made once: reading the system's roots takes milliseconds.
/// Thread safety: safe from any thread.
class TlsContexts {
 public:
  /// Throws Error(InvalidArgument) when the policy's PEM text holds no certificate.
  [[nodiscard]] Poco::Net::Context::Ptr get(const TrustPolicy& trust);

 private:
  Mutex mutex_;
  std::map<TrustPolicy, Poco::Net::Context::Ptr> contexts_ STRATOS_GUARDED_BY(mutex_);
};

/// TLS sessions of earlier connections that may be resumed: it saves both sides the signatures and
/// the certificates. For connections to one host under one trust policy only, since a resumed
/// session is trusted for what was checked when it began.
/// Thread safety: safe from any thread.
class TlsSessions {
 public:
  struct Free {
    void operator()(SSL_SESSION* session) const noexcept { SSL_SESSION_free(session); }
  };
  using Ptr = std::unique_ptr<SSL_SESSION, Free>;

  void put(Ptr session);
  /// The latest; null when there is none. Each is given out once (RFC 8446 appendix C.4).
  [[nodiscard]] Ptr take();

 private:
  Mutex mutex_;
  std::vector<Ptr> sessions_ STRATOS_GUARDED_BY(mutex_);
};

/// A non-blocking TCP connection, with TLS on top once startTls() has run. TLS runs on OpenSSL
/// itself: Poco's secure socket gives neither the verification result nor a host name check for
/// loopback names, and its writes can raise SIGPIPE. One thread at a time.
class Connection {
 public:
  enum class Status {
    Done,
    WouldBlock,
    End,     ///< The peer has closed its side in an orderly way.
    Failed,  ///< See failure().
  };

  Connection() = default;
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Connects to one of the host's addresses. Name resolution itself is the system's and ends by
  /// the resolver's own time-outs. Addresses that `policy` refuses are passed over; when it refuses
  /// all of them, that is Forbidden. False: see failure().
  [[nodiscard]] bool open(const std::string& host, std::uint16_t port, Deadline deadline,
                          const AddressPolicy* policy = nullptr);
  /// Shakes hands, and checks the certificate for `host` if the context verifies. Resumes one of
  /// `sessions`, if there is one, and adds to them what the peer offers.
  [[nodiscard]] bool startTls(const Poco::Net::Context::Ptr& context, const std::string& host,
                              Deadline deadline,
                              std::shared_ptr<TlsSessions> sessions = nullptr);

  [[nodiscard]] Status tryRead(char* buffer, std::size_t capacity, std::size_t& count);
  [[nodiscard]] Status tryWrite(std::string_view data, std::size_t& count);
  /// Waits for `events` of poll(2); 0: see failure(), which calls the wait `what`.
  [[nodiscard]] short wait(short events, Deadline deadline, const char* what);
  /// What the last call that would block waits for.
  [[nodiscard]] short wantedEvents() const noexcept { return wanted_; }

  /// tryRead() and wait(); never WouldBlock.
  [[nodiscard]] Status read(char* buffer, std::size_t capacity, std::size_t& count,
                            Deadline deadline);
  /// The next read() waits before it tries: the peer has just been asked and needs a moment.
  void expectLateAnswer() noexcept { answerIsLate_ = !ssl_ || SSL_has_pending(ssl_.get()) == 0; }
  /// Writes all of `data`; never WouldBlock or End.
  [[nodiscard]] Status write(std::string_view data, Deadline deadline);

  /// True when the peer has neither closed the connection nor sent anything unasked. Without
  /// `atOnce` it may be what the event loop has heard so far, which is cheaper.
  [[nodiscard]] bool isQuiet(bool atOnce);
  [[nodiscard]] const Failure& failure() const noexcept { return failure_; }

 private:
  struct FreeSsl {
    void operator()(SSL* ssl) const noexcept { SSL_free(ssl); }
  };

  bool fail(TransportFailure kind, std::string detail);
  bool timeOut(const char* what);
  [[nodiscard]] bool connectTo(const Poco::Net::SocketAddress& address, Deadline deadline);
  [[nodiscard]] Status tlsStatus(int result);
  void failTls();

  Poco::Net::StreamSocket socket_;
  int fd_ = -1;
  Waitable file_ = -1;
  Poco::Net::Context::Ptr context_;
  std::shared_ptr<TlsSessions> sessions_;
  std::unique_ptr<SSL, FreeSsl> ssl_;
  bool established_ = false;
  bool answerIsLate_ = false;
  bool drained_ = false;  ///< The last read took all that the socket had.
  short wanted_ = 0;
  Failure failure_;
};

}  // namespace stratos::http::detail
