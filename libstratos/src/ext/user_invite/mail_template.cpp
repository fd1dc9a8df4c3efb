#include "ext/user_invite/mail_template.hpp"

#include <algorithm>

#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"

namespace stratos::ext::invite {

namespace {

struct Variable {
  std::string_view name;
  std::string MailValues::*member;
};

constexpr std::array kVariables{Variable{".InviteLink", &MailValues::inviteLink},
                                Variable{".EmailAddress", &MailValues::emailAddress},
                                Variable{".EndpointName", &MailValues::endpointName},
                                Variable{".EndpointURL", &MailValues::endpointUrl}};

constexpr std::string_view kBlanks = " \t\r\n";

std::string_view trimRight(std::string_view text) {
  return text.substr(0, text.find_last_not_of(kBlanks) + 1);
}

std::string_view trimLeft(std::string_view text) {
  const auto first = text.find_first_not_of(kBlanks);
  return first == std::string_view::npos ? std::string_view{} : text.substr(first);
}

/// As html.EscapeString of Go, so that a value fits between tags and in a quoted attribute.
std::string escapeHtml(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&#34;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

}  // namespace

MailTemplate::MailTemplate(std::string_view name, std::string_view text, MailFormat format)
    : format_(format) {
  const auto refuse = [&](const char* at, const std::string& why) {
    const auto line = 1 + std::count(text.data(), at, '\n');
    throw Error(ErrorCode::InvalidArgument, "The template " + std::string{name} + ", line " +
                                                std::to_string(line) + ": " + why);
  };
  std::string_view rest = text;
  for (;;) {
    const auto open = rest.find("{{");
    std::string_view literal = rest.substr(0, open);
    if (open == std::string_view::npos) {
      pieces_.push_back({std::string{literal}, nullptr});
      return;
    }
    const char* const at = rest.data() + open;
    const auto close = rest.find("}}", open);
    if (close == std::string_view::npos) refuse(at, "\"{{\" without \"}}\"");
    std::string_view action = rest.substr(open + 2, close - open - 2);
    rest.remove_prefix(close + 2);
    // A trim marker has a blank beside it (https://pkg.go.dev/text/template).
    if (action.size() > 1 && action[0] == '-' && kBlanks.find(action[1]) != kBlanks.npos) {
      action.remove_prefix(1);
      literal = trimRight(literal);
    }
    if (action.size() > 1 && action.back() == '-' &&
        kBlanks.find(action[action.size() - 2]) != kBlanks.npos) {
      action.remove_suffix(1);
      rest = trimLeft(rest);
    }
    action = trim(action);
    if (action.starts_with("/*") && action.ends_with("*/")) {
      pieces_.push_back({std::string{literal}, nullptr});
      continue;
    }
    const auto variable = std::find_if(kVariables.begin(), kVariables.end(),
                                       [&](const Variable& v) { return v.name == action; });
    if (variable == kVariables.end()) {
      std::string known;
      for (const Variable& each : kVariables) {
        known.append(known.empty() ? "" : ", ").append(each.name);
      }
      refuse(at, "\"" + std::string{action} + "\" is not one of " + known);
    }
    pieces_.push_back({std::string{literal}, variable->member});
  }
}

std::string MailTemplate::render(const MailValues& values) const {
  std::string out;
  for (const Piece& piece : pieces_) {
    out += piece.literal;
    if (piece.variable == nullptr) continue;
    const std::string& value = values.*piece.variable;
    out += format_ == MailFormat::Html ? escapeHtml(value) : value;
  }
  return out;
}

constexpr std::string_view kDefaultSubject = "You have been invited to Cloud Foundry";

constexpr std::string_view kDefaultText = R"(Hello,

you have been invited to the Cloud Foundry "{{ .EndpointName }}" as {{ .EmailAddress }}.

To accept the invitation, open this address in a browser:

{{ .InviteLink }}

The API of this Cloud Foundry is at {{ .EndpointURL }}.

If you did not expect this invitation, you can ignore it.
)";

constexpr std::string_view kDefaultHtml = R"(<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Invitation</title></head>
<body style="font-family: sans-serif; line-height: 1.5">
<p>Hello,</p>
<p>you have been invited to the Cloud Foundry <b>{{ .EndpointName }}</b> as {{ .EmailAddress }}.</p>
<p><a href="{{ .InviteLink }}">Accept the invitation</a></p>
<p>If that does not work, open this address in a browser:<br>{{ .InviteLink }}</p>
<p>The API of this Cloud Foundry is at {{ .EndpointURL }}.</p>
<p>If you did not expect this invitation, you can ignore it.</p>
</body>
</html>
)";

}  // namespace stratos::ext::invite
