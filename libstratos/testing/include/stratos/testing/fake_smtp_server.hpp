#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "stratos/base/deadline.hpp"
#include "stratos/base/export.hpp"
#include "stratos/testing/test_certificates.hpp"

namespace stratos::testing {

/// A mail that the server took.
struct STRATOS_EXPORT ReceivedMail {
  std::string from;  ///< Of the envelope.
  std::vector<std::string> recipients;
  std::string data;  ///< Header and body, dots unstuffed, lines end in CR LF.
  bool secure = false;
  std::string user;  ///< Who signed in; empty when nobody did.
  std::uint64_t connection = 0;

  /// The value of a header field, unfolded; empty when there is none. Names in any case.
  [[nodiscard]] std::string header(const std::string& name) const;
  /// The decoded content of the (first) part of that type, `text/plain` or `text/html`; empty when
  /// there is none.
  [[nodiscard]] std::string part(const std::string& type) const;
};

struct FakeSmtpServerOptions {
  std::string host = "127.0.0.1";
  std::optional<TlsIdentity> tls = {};  ///< Offers STARTTLS when set.
  bool implicitTls = false;             ///< TLS from the first byte instead.
  std::string user = {};                ///< Asks for AUTH PLAIN when not empty.
  std::string password = {};
};

/// A mail server (RFC 5321 with STARTTLS and AUTH PLAIN) on a real socket that keeps what it gets.
/// It refuses commands out of order, bare LF, lines beyond RFC 5321's limits, and AUTH in the clear
/// when it has TLS.
///
/// Thread safety: all members may be called concurrently.
/// Lifetime: the destructor closes all connections and joins their threads.
class STRATOS_EXPORT FakeSmtpServer {
 public:
  /// Listens at once on a free port. Throws Error(Unavailable) when there is none.
  explicit FakeSmtpServer(FakeSmtpServerOptions options = {});
  ~FakeSmtpServer();
  FakeSmtpServer(const FakeSmtpServer&) = delete;
  FakeSmtpServer& operator=(const FakeSmtpServer&) = delete;

  [[nodiscard]] std::uint16_t port() const noexcept;

  /// Answers the next `times` commands `verb` (in upper case; `.` is the end of the data, `CONNECT`
  /// the greeting) with `answer`, for example "550 no such user". An empty answer closes the
  /// connection instead.
  void answerWith(const std::string& verb, std::string answer, int times = 1);
  /// Never answers the next command `verb`.
  void hangAt(const std::string& verb);
  /// Sends `text` behind the answer to STARTTLS, in the clear and in the same packet.
  void injectBeforeTls(std::string text);

  [[nodiscard]] std::vector<ReceivedMail> mails() const;
  /// Every command line, in order; of AUTH only the mechanism.
  [[nodiscard]] std::vector<std::string> commands() const;
  /// Waits until `count` command lines were read; a client need not wait for the answer to QUIT.
  [[nodiscard]] bool waitForCommands(std::size_t count, Deadline deadline) const;
  [[nodiscard]] std::uint64_t connectionCount() const;
  /// Closes every open connection; new ones are welcome.
  void closeConnections();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stratos::testing
