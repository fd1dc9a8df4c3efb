#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace stratos::ext::invite {

/// What an invitation says. A value.
struct MailValues {
  std::string inviteLink;
  std::string emailAddress;
  std::string endpointName;
  std::string endpointUrl;
};

enum class MailFormat { Text, Html };

/// A text with the variables of an invitation in Go's notation, `{{ .InviteLink }}`, as customers'
/// templates for the original console have them. White space is trimmed beside `{{-` and `-}}`, and
/// comments are dropped; nothing else of Go's language is there. Immutable.
class MailTemplate {
 public:
  /// Throws Error(InvalidArgument) with `name`, the line and what is wrong with it: an unknown
  /// variable, anything but a variable, an action without end.
  MailTemplate(std::string_view name, std::string_view text, MailFormat format);

  /// The text with the values in their places, HTML-escaped in HTML.
  [[nodiscard]] std::string render(const MailValues& values) const;

 private:
  struct Piece {
    std::string literal;
    std::string MailValues::*variable = nullptr;  ///< Follows the literal; null for none.
  };
  MailFormat format_;
  std::vector<Piece> pieces_;
};

/// The mail that is sent where the operator has no templates.
extern const std::string_view kDefaultSubject;
extern const std::string_view kDefaultText;
extern const std::string_view kDefaultHtml;

}  // namespace stratos::ext::invite
