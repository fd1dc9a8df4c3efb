#include "ext/user_invite/smtp_client.hpp"

#include <algorithm>
#include <array>

#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"
#include "stratos/base/ip_network.hpp"

namespace stratos::ext::invite {

namespace {

constexpr std::uint16_t kImplicitTlsPort = 465;
/// RFC 5321 section 4.5.3.1.5 asks for 512.
constexpr std::size_t kMaxLineBytes = 4096;
constexpr std::size_t kMaxLines = 200;
/// "Service not available, closing transmission channel" (RFC 5321 section 4.2.3).
constexpr int kClosing = 421;

std::string toUpper(std::string_view text) {
  std::string upper{text};
  std::transform(upper.begin(), upper.end(), upper.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  return upper;
}

bool isLoopback(const std::string& host) {
  return host == "localhost" || host == "::1" || IpNetwork::parse("127.0.0.0/8")->contains(host);
}

/// What a server says, fit for a log line.
std::string printable(std::string_view text) {
  constexpr std::size_t kLimit = 200;
  std::string out = toValidUtf8(text.substr(0, kLimit));
  std::replace_if(
      out.begin(), out.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return out;
}

bool isSafeInCommand(std::string_view address) {
  return !address.empty() && std::all_of(address.begin(), address.end(), [](char c) {
    return static_cast<unsigned char>(c) > 0x20 && c != 0x7f && c != '<' && c != '>';
  });
}

/// A line that is a single dot would end the mail (RFC 5321 section 4.5.2).
std::string stuffDots(std::string_view message) {
  std::string out;
  out.reserve(message.size() + 8);
  bool lineStarts = true;
  for (const char c : message) {
    if (lineStarts && c == '.') out += '.';
    out += c;
    lineStarts = c == '\n';
  }
  if (!out.ends_with("\r\n")) out += "\r\n";
  return out + ".\r\n";
}

}  // namespace

SmtpSession::~SmtpSession() {
  // Whether the server hears it does not matter, so it does not wait for the answer.
  constexpr std::chrono::milliseconds kGoodbye{100};
  if (stream_) static_cast<void>(stream_->write("QUIT\r\n", Deadline::after(kGoodbye)));
}

SmtpResult SmtpSession::send(const std::string& from, const std::string& to,
                             std::string_view message) {
  if (!isSafeInCommand(from) || !isSafeInCommand(to)) {
    throw Error(ErrorCode::InvalidArgument, "this is no e-mail address that can be used");
  }
  const bool isReused = stream_ != nullptr;
  if (!problem_.empty() || (!isReused && !connect())) return {false, problem_};
  const std::string begin = "MAIL FROM:<" + from + ">";
  const Deadline deadline = Deadline::after(options_.timeout);
  Answer answer = command(begin, deadline);
  if (isReused && (!stream_ || answer.code == kClosing)) {
    // The server may have closed a connection that was idle; nothing of this mail was said yet.
    problem_.clear();
    if (!connect()) return {false, problem_};
    answer = command(begin, deadline);
  }
  if (!answer.isPositive()) return refused("the sender", answer);
  answer = command("RCPT TO:<" + to + ">", deadline);
  if (!answer.isPositive()) return refused("the recipient", answer);
  answer = command("DATA", deadline);
  if (answer.code != 354) return refused("the mail", answer);
  if (!stream_->write(stuffDots(message), deadline)) {
    giveUp(stream_->detail());
    return {false, problem_};
  }
  answer = readAnswer(deadline);
  if (!answer.isPositive()) return refused("the mail", answer);
  return {true, {}};
}

SmtpResult SmtpSession::refused(const char* step, const Answer& answer) {
  if (!stream_) return {false, problem_};
  SmtpResult result{false, std::string{"the mail server refuses "} + step + ": " +
                               std::to_string(answer.code) + " " +
                               printable(answer.lines.empty() ? "" : answer.lines.back())};
  // A server that confuses its answers is left; otherwise the next mail starts afresh.
  if (answer.code == kClosing || answer.isPositive() ||
      command("RSET", Deadline::after(options_.timeout)).code != 250) {
    giveUp(result.detail);
  }
  return result;
}

bool SmtpSession::giveUp(std::string detail) {
  problem_ = std::move(detail);
  if (problem_.empty()) problem_ = "the mail server broke the connection";
  stream_.reset();
  buffer_.clear();
  return false;
}

bool SmtpSession::connect() {
  const Deadline deadline = Deadline::after(options_.timeout);
  stream_ = std::make_unique<http::TcpStream>();
  if (!stream_->open(options_.host, options_.port, deadline)) return giveUp(stream_->detail());
  const bool implicit = options_.tls == SmtpTls::Implicit ||
                        (options_.tls == SmtpTls::Auto && options_.port == kImplicitTlsPort);
  if (implicit && !stream_->startTls(options_.host, options_.trust, deadline)) {
    return giveUp(stream_->detail());
  }
  if (const Answer answer = readAnswer(deadline); answer.code != 220) {
    return stream_ != nullptr &&
           giveUp("the mail server does not want to talk: " + std::to_string(answer.code));
  }
  if (!greet(deadline)) return false;
  if (!implicit) {
    if (offers("STARTTLS")) {
      if (!startTls(deadline)) return false;
    } else if (options_.tls == SmtpTls::StartTls) {
      return giveUp("the mail server offers no STARTTLS");
    }
  }
  return options_.user.empty() || authenticate(deadline);
}

bool SmtpSession::startTls(Deadline deadline) {
  if (const Answer answer = command("STARTTLS", deadline); answer.code != 220) {
    return stream_ != nullptr &&
           giveUp("the mail server refuses STARTTLS: " + std::to_string(answer.code));
  }
  // What came in the clear behind that answer is not the server's word (RFC 3207 section 6).
  if (!buffer_.empty()) return giveUp("something was sent in the clear before TLS began");
  if (!stream_->startTls(options_.host, options_.trust, deadline)) {
    return giveUp(stream_->detail());
  }
  // What was offered in the clear counts no more (RFC 3207 section 4.2).
  return greet(deadline);
}

bool SmtpSession::greet(Deadline deadline) {
  capabilities_.clear();
  Answer answer = command("EHLO localhost", deadline);
  if (!stream_) return false;
  if (!answer.isPositive()) answer = command("HELO localhost", deadline);
  if (!stream_) return false;
  if (!answer.isPositive()) {
    return giveUp("the mail server refuses us: " + std::to_string(answer.code));
  }
  for (const std::string& line : answer.lines) capabilities_.push_back(toUpper(line));
  return true;
}

bool SmtpSession::offers(std::string_view keyword, std::string_view parameter) const {
  return std::any_of(capabilities_.begin(), capabilities_.end(), [&](const std::string& line) {
    const std::vector<std::string> words = split(line, ' ');
    return words.front() == keyword &&
           (parameter.empty() || std::find(words.begin(), words.end(), parameter) != words.end());
  });
}

bool SmtpSession::authenticate(Deadline deadline) {
  if (!stream_->isSecure() && !isLoopback(options_.host)) {
    return giveUp("the mail server offers no TLS, and a password is not sent in the clear");
  }
  if (!offers("AUTH", "PLAIN")) return giveUp("the mail server offers no AUTH PLAIN");
  const std::string credentials = '\0' + options_.user + '\0' + options_.password.reveal();
  const Answer answer = command("AUTH PLAIN " + toBase64(credentials), deadline);
  if (!stream_) return false;
  // The text of the answer stays out: a server may quote what it got.
  if (answer.code != 235) {
    return giveUp("the mail server refuses SMTP_USER: " + std::to_string(answer.code));
  }
  return true;
}

SmtpSession::Answer SmtpSession::command(std::string_view line, Deadline deadline) {
  if (!stream_->write(std::string{line} + "\r\n", deadline)) {
    giveUp(stream_->detail());
    return {};
  }
  return readAnswer(deadline);
}

SmtpSession::Answer SmtpSession::readAnswer(Deadline deadline) {
  Answer answer;
  for (std::size_t count = 0; count < kMaxLines; ++count) {
    const auto line = readLine(deadline);
    if (!line) return {};
    const auto isDigit = [](char c) { return c >= '0' && c <= '9'; };
    if (line->size() < 3 || !std::all_of(line->begin(), line->begin() + 3, isDigit) ||
        (line->size() > 3 && (*line)[3] != ' ' && (*line)[3] != '-')) {
      break;
    }
    answer.code = ((*line)[0] - '0') * 100 + ((*line)[1] - '0') * 10 + ((*line)[2] - '0');
    answer.lines.push_back(line->size() > 4 ? line->substr(4) : std::string{});
    if (line->size() == 3 || (*line)[3] == ' ') return answer;
  }
  giveUp("the mail server's answer is not SMTP");
  return {};
}

std::optional<std::string> SmtpSession::readLine(Deadline deadline) {
  for (;;) {
    if (const auto end = buffer_.find('\n'); end != std::string::npos) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      if (line.ends_with('\r')) line.pop_back();
      return line;
    }
    if (buffer_.size() > kMaxLineBytes) {
      giveUp("the mail server's answer is not SMTP");
      return std::nullopt;
    }
    std::array<char, 1024> piece{};
    const auto count = stream_->read(piece.data(), piece.size(), deadline);
    if (!count || *count == 0) {
      giveUp(count ? "the mail server closed the connection" : stream_->detail());
      return std::nullopt;
    }
    buffer_.append(piece.data(), *count);
  }
}

}  // namespace stratos::ext::invite
