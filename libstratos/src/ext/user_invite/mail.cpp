#include "ext/user_invite/mail.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>

#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"

namespace stratos::ext::invite {

namespace {

/// RFC 5321 section 4.5.3.1.
constexpr std::size_t kMaxLocalBytes = 64;
constexpr std::size_t kMaxAddressBytes = 254;
/// A longer one than any mail program shows.
constexpr std::size_t kMaxPhraseBytes = 512;

bool isAlnum(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/// `atext` of RFC 5322 section 3.2.3.
bool isAtomCharacter(char c) {
  return isAlnum(c) || std::string_view{"!#$%&'*+-/=?^_`{|}~"}.find(c) != std::string_view::npos;
}

/// Dot separated parts, none empty, all of characters that `accepts`.
bool isDotted(std::string_view text, bool (*accepts)(char)) {
  bool partIsEmpty = true;
  for (const char c : text) {
    if (c == '.') {
      if (partIsEmpty) return false;
      partIsEmpty = true;
    } else if (accepts(c)) {
      partIsEmpty = false;
    } else {
      return false;
    }
  }
  return !partIsEmpty;
}

/// Free text for a header: one line of valid UTF-8.
std::string onOneLine(std::string_view text) {
  std::string line = toValidUtf8(text.substr(0, kMaxPhraseBytes));
  std::replace_if(
      line.begin(), line.end(),
      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
  return std::string{trim(line)};
}

bool isAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

/// Encoded words of RFC 2047, each at most 75 characters and of whole characters, folded.
std::string encodedWords(std::string_view text) {
  constexpr std::size_t kBytesPerWord = 42;
  std::string out;
  while (!text.empty()) {
    std::size_t size = std::min(kBytesPerWord, text.size());
    while (size < text.size() && (static_cast<unsigned char>(text[size]) & 0xC0U) == 0x80U) --size;
    out.append(out.empty() ? "" : "\r\n ").append("=?UTF-8?B?");
    out.append(toBase64(text.substr(0, size))).append("?=");
    text.remove_prefix(size);
  }
  return out;
}

/// A field's free text: as it is where that is safe and short, else encoded.
std::string phrase(std::string_view text, bool asPhrase) {
  constexpr std::size_t kShort = 60;
  const std::string line = onOneLine(text);
  // "=?" would be read as an encoded word.
  const bool isPlain = isAscii(line) && line.size() <= kShort && line.find("=?") == line.npos;
  if (!isPlain) return encodedWords(line);
  if (!asPhrase) return line;
  std::string quoted = "\"";
  for (const char c : line) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

std::string wrappedBase64(std::string_view text) {
  constexpr std::size_t kBytesPerLine = 57;  // 76 characters (RFC 2045 section 6.8).
  std::string out;
  while (!text.empty()) {
    out.append(toBase64(text.substr(0, kBytesPerLine))).append("\r\n");
    text.remove_prefix(std::min(kBytesPerLine, text.size()));
  }
  return out;
}

/// Lines of text parts end in CR LF before they are encoded (RFC 2045 section 6.8).
std::string withCrLf(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 32);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
    if (text[i] == '\n' || text[i] == '\r') {
      out += "\r\n";
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string bodyPart(const char* type, std::string_view content) {
  return std::string{"Content-Type: "} + type +
         "; charset=UTF-8\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
         wrappedBase64(withCrLf(toValidUtf8(content)));
}

/// `Mon, 23 Nov 2026 03:04:05 +0000` (RFC 5322 section 3.3), whatever the locale.
std::string mailDate(TimePoint now) {
  constexpr std::array kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                               "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t seconds = toUnixSeconds(now);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 64> text{};
  const int size = std::snprintf(text.data(), text.size(), "%s, %02d %s %04d %02d:%02d:%02d +0000",
                                 kDays.at(static_cast<std::size_t>(parts.tm_wday)), parts.tm_mday,
                                 kMonths.at(static_cast<std::size_t>(parts.tm_mon)),
                                 parts.tm_year + 1900, parts.tm_hour, parts.tm_min, parts.tm_sec);
  return {text.data(), static_cast<std::size_t>(size)};
}

}  // namespace

bool isMailAddress(std::string_view text) noexcept {
  const auto at = text.find('@');
  if (at == std::string_view::npos || at > kMaxLocalBytes || text.size() > kMaxAddressBytes) {
    return false;
  }
  return isDotted(text.substr(0, at), isAtomCharacter) &&
         isDotted(text.substr(at + 1), [](char c) { return isAlnum(c) || c == '-'; });
}

std::optional<Mailbox> Mailbox::tryParse(std::string_view text) {
  text = trim(text);
  Mailbox mailbox;
  const auto open = text.rfind('<');
  if (open != std::string_view::npos && text.ends_with('>')) {
    std::string_view name = trim(text.substr(0, open));
    if (name.size() >= 2 && name.starts_with('"') && name.ends_with('"')) {
      name = name.substr(1, name.size() - 2);
    }
    mailbox.name = onOneLine(name);
    text = text.substr(open + 1, text.size() - open - 2);
  }
  mailbox.address = std::string{text};
  if (!isMailAddress(mailbox.address)) return std::nullopt;
  return mailbox;
}

std::string toMessage(const Mail& mail, TimePoint now, Random& random) {
  for (const std::string& address : {mail.from.address, mail.to}) {
    if (!isMailAddress(address)) {
      throw Error(ErrorCode::InvalidArgument, "this is no e-mail address that can be used");
    }
  }
  const std::string domain = mail.from.address.substr(mail.from.address.find('@') + 1);
  std::string message = "From: ";
  message += mail.from.name.empty()
                 ? mail.from.address
                 : phrase(mail.from.name, /*asPhrase=*/true) + " <" + mail.from.address + ">";
  message += "\r\nTo: " + mail.to;
  message += "\r\nSubject: " + phrase(mail.subject, /*asPhrase=*/false);
  message += "\r\nDate: " + mailDate(now);
  message += "\r\nMessage-ID: <" + toHex(random.bytes(16)) + "@" + domain + ">";
  // RFC 3834: keeps holiday answers away.
  message += "\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n";
  if (mail.html.empty()) return message + bodyPart("text/plain", mail.text);
  const std::string boundary = "=_" + toHex(random.bytes(16));
  message += "Content-Type: multipart/alternative;\r\n boundary=\"" + boundary + "\"\r\n\r\n";
  message += "--" + boundary + "\r\n" + bodyPart("text/plain", mail.text);
  message += "--" + boundary + "\r\n" + bodyPart("text/html", mail.html);
  return message + "--" + boundary + "--\r\n";
}

}  // namespace stratos::ext::invite
