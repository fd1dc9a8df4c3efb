#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "stratos/base/clock.hpp"
#include "stratos/base/random.hpp"

namespace stratos::ext::invite {

/// `local@domain` in ASCII, without quotes and comments: what may stand in a mail's header and in
/// an SMTP command as it is. Real addresses of other forms (RFC 5321 section 4.1.2) are refused.
[[nodiscard]] bool isMailAddress(std::string_view text) noexcept;

/// A sender: `Name <addr>` or just `addr`. A value.
struct Mailbox {
  std::string name;
  std::string address;

  /// Empty when `text` is neither.
  [[nodiscard]] static std::optional<Mailbox> tryParse(std::string_view text);
};

/// A mail to one person. A value.
struct Mail {
  Mailbox from;
  std::string to;
  std::string subject;
  std::string text;
  std::string html;  ///< Empty: text only.
};

/// The mail as RFC 5322 text with lines that end in CR LF: text and HTML in base64, the subject as
/// encoded words (RFC 2047) where it is not ASCII. Control characters of subject and name become
/// blanks, so no value can add a field. Throws Error(InvalidArgument) when an address is none.
[[nodiscard]] std::string toMessage(const Mail& mail, TimePoint now, Random& random);

}  // namespace stratos::ext::invite
