#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "stratos/ext/user_invite.hpp"
#include "stratos/http/tcp_stream.hpp"

namespace stratos::ext::invite {

/// What became of a mail.
struct SmtpResult {
  bool sent = false;
  std::string detail;  ///< For the log and for administrators, when it was not sent; no secret.
};

/// One connection to a mail server, opened by the first mail, for the mails of one request (RFC
/// 5321). Written on TcpStream instead of Poco's SMTPClientSession, which keeps what it has read
/// before STARTTLS, so that whoever is in between can put answers in front of the server's
/// (CVE-2011-0411), and has no deadline for an answer as a whole.
///
/// Not for several threads at a time. `options` must outlive it.
class SmtpSession {
 public:
  explicit SmtpSession(const SmtpOptions& options) : options_(options) {}
  /// Says goodbye to the server if it is still there.
  ~SmtpSession();
  SmtpSession(const SmtpSession&) = delete;
  SmtpSession& operator=(const SmtpSession&) = delete;

  /// Hands over one mail. Once the server could not be reached, or refused us, no further mail is
  /// tried: it would cost each one the same wait. Throws Error(InvalidArgument) when an address
  /// holds what would end the command.
  [[nodiscard]] SmtpResult send(const std::string& from, const std::string& to,
                                std::string_view message);

 private:
  struct Answer {
    int code = 0;  ///< 0 when there was none.
    std::vector<std::string> lines;
    [[nodiscard]] bool isPositive() const { return code >= 200 && code < 300; }
  };

  bool connect();
  bool startTls(Deadline deadline);
  bool greet(Deadline deadline);
  bool authenticate(Deadline deadline);
  Answer command(std::string_view line, Deadline deadline);
  Answer readAnswer(Deadline deadline);
  std::optional<std::string> readLine(Deadline deadline);
  /// Ends the session. Returns false.
  bool giveUp(std::string detail);
  SmtpResult refused(const char* step, const Answer& answer);
  [[nodiscard]] bool offers(std::string_view keyword, std::string_view parameter = {}) const;

  const SmtpOptions& options_;
  std::unique_ptr<http::TcpStream> stream_;
  std::string buffer_;
  std::vector<std::string> capabilities_;  ///< Lines of the answer to EHLO, in upper case.
  std::string problem_;                    ///< Why no further mail is tried.
};

}  // namespace stratos::ext::invite
