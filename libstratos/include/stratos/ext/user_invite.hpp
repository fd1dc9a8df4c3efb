#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "stratos/base/export.hpp"
#include "stratos/base/secret.hpp"
#include "stratos/console/extension.hpp"
#include "stratos/http/transport.hpp"

namespace stratos::ext {

/// How a mail server is reached over TLS.
enum class SmtpTls {
  Auto,      ///< STARTTLS where the server offers it; on port 465 from the first byte.
  StartTls,  ///< STARTTLS, or no mail.
  Implicit,  ///< TLS from the first byte (RFC 8314).
};

/// A mail server (RFC 5321).
struct SmtpOptions {
  std::string host;  ///< Empty: there is none.
  std::uint16_t port = 25;
  SmtpTls tls = SmtpTls::Auto;
  http::TrustPolicy trust;
  /// AUTH PLAIN (RFC 4616) when not empty. Sent over TLS only, or to a loopback address.
  std::string user;
  Secret password;
  /// For the connection with its handshakes, and for each mail.
  std::chrono::milliseconds timeout{30'000};
};

struct UserInviteOptions {
  SmtpOptions smtp;
  std::string from;     ///< `Name <addr>` or `addr`. Empty: there are no invitations.
  std::string subject;  ///< A template. Empty: the built-in one.
  /// Templates of the mail, with `{{ .InviteLink }}`, `{{ .EmailAddress }}`, `{{ .EndpointName }}`
  /// and `{{ .EndpointURL }}`. Without a text the built-in text and HTML are used; with a text and
  /// no HTML the mail is text only.
  std::string textTemplate;
  std::string htmlTemplate;
};

/// Invitations by mail into organizations and spaces of Cloud Foundry endpoints:
/// `/pp/v1/invite/:id` for administrators, `/pp/v1/invite/send/:id` for administrators and managers
/// of the organization. Without mail server or sender the extension only says that there are no
/// invitations. Throws Error(InvalidArgument) when the sender is no mail address or a template
/// cannot be used.
[[nodiscard]] STRATOS_EXPORT std::unique_ptr<Extension> makeUserInvite(UserInviteOptions options);

}  // namespace stratos::ext
