#include "http_exchange.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <mutex>
#include <optional>
#include <utility>

#include "stratos/base/clock.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"
#include "stratos/base/waiting.hpp"
#include "stratos/http/cookie.hpp"

namespace stratos::server {
namespace {

constexpr std::size_t kReadBytes = 16 * 1024;
constexpr std::size_t kPieceBytes = 32 * 1024;
// Most bodies are smaller, and a slow stream never needs more.
constexpr std::size_t kFirstPieceBytes = 4 * 1024;
// What the head of an answer usually needs.
constexpr std::size_t kHeadBytes = 900;
// How long and how much a client may go on sending after its connection was given up.
constexpr std::chrono::milliseconds kLingerTime{1'000};
constexpr std::size_t kLingerBytes = 1024 * 1024;

int statusOf(http::ParseFailure failure) {
  switch (failure) {
    case http::ParseFailure::HeadTooLarge:
      return 431;
    case http::ParseFailure::TargetTooLong:
      return 414;
    case http::ParseFailure::VersionNotSupported:
      return 505;
    case http::ParseFailure::None:
    case http::ParseFailure::Malformed:
      break;
  }
  return 400;
}

// These describe this connection, not the response.
bool isFramingField(std::string_view name) {
  for (const std::string_view framing :
       {"Connection", "Content-Length", "Transfer-Encoding", "Keep-Alive", "Trailer", "Upgrade"}) {
    if (equalsIgnoreCase(name, framing)) return true;
  }
  return false;
}

bool isDigits(std::string_view text) {
  return !text.empty() && text.size() <= 18 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// Whether a body comes at a rate for which a large buffer pays.
bool isFast(std::uint64_t bytes, std::chrono::steady_clock::time_point since) {
  constexpr std::uint64_t kEnoughToTell = 64 * 1024;
  constexpr double kBytesPerSecond = 256 * 1024;
  if (bytes < kEnoughToTell) return false;
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - since;
  return static_cast<double>(bytes) > kBytesPerSecond * passed.count();
}

/// The value of the Date field, which changes once a second.
const std::string& now() {
  static thread_local TimePoint second;
  static thread_local std::string text;
  const auto current = std::chrono::floor<std::chrono::seconds>(SystemClock().now());
  if (text.empty() || current != second) {
    second = current;
    text = http::formatHttpDate(current);
  }
  return text;
}

}  // namespace

// A handler may keep the body longer than the request; afterwards there is nothing behind it.
struct HttpExchange::BodyLink {
  std::mutex mutex;
  HttpExchange* exchange = nullptr;

  void cut() {
    const std::lock_guard lock(mutex);
    exchange = nullptr;
  }
};

class HttpExchange::RequestBody final : public http::BodySource {
 public:
  explicit RequestBody(std::shared_ptr<BodyLink> link) : link_(std::move(link)) {}

  std::size_t read(char* buffer, std::size_t capacity) override {
    const std::lock_guard lock(link_->mutex);
    if (link_->exchange == nullptr) {
      throw Error(ErrorCode::Cancelled, "The request of this body has been answered");
    }
    return link_->exchange->readBody(buffer, capacity, link_->exchange->bodyDeadline());
  }

 private:
  std::shared_ptr<BodyLink> link_;
};

HttpExchange::HttpExchange(ClientStream stream, std::string peerAddress,
                           http::ParserLimits parserLimits, ExchangeLimits limits)
    : stream_(std::move(stream)),
      peerAddress_(std::move(peerAddress)),
      limits_(limits),
      parser_(http::MessageParser::Kind::Request, parserLimits) {}

HttpExchange::HeadState HttpExchange::readHead() {
  std::array<char, kReadBytes> buffer;
  std::string_view unread = input_;
  for (;;) {
    if (!unread.empty()) {
      unread.remove_prefix(parser_.feed(unread));
      if (parser_.failure() != http::ParseFailure::None) {
        refusalStatus_ = statusOf(parser_.failure());
        return HeadState::Refused;
      }
      if (parser_.headComplete()) {
        input_ = std::string(unread);
        return HeadState::Ready;
      }
      input_.clear();
    }
    if (!mayHaveInput_.exchange(false) && !stream_.hasBufferedInput()) return HeadState::NeedMore;
    std::size_t count = 0;
    switch (stream_.tryRead(buffer.data(), buffer.size(), count)) {
      case ClientStream::Io::Done:
        unread = {buffer.data(), count};
        // A short read has emptied the socket (epoll(7)), but not what TLS makes of it.
        if (stream_.isSecure() || count == buffer.size()) mayHaveInput_ = true;
        break;
      case ClientStream::Io::WouldBlock:
        return HeadState::NeedMore;
      case ClientStream::Io::Ended:
        return HeadState::Ended;
    }
  }
}

bool HttpExchange::answer(http::Handler& handler, LogSink& log, const std::atomic<bool>& stopping) {
  http::Request request;
  request.method = parser_.method();
  request.target = originForm();
  request.headers = std::move(parser_.headers());
  request.peerAddress = peerAddress_;
  request.secure = stream_.isSecure();
  request.cancelled = cancelled_.get_token();
  const bool http11 = parser_.minorVersion() >= 1;
  // RFC 9112 sections 3.2 and 3.2.3: exactly one Host; CONNECT is for proxies.
  if (request.target.empty() || (http11 && request.headers.all("Host").size() != 1)) {
    refuse(400);
    return false;
  }
  continueExpected_ = http11 && request.headers.hasToken("Expect", "100-continue");
  bodyBytes_ = parser_.takeBody();
  bodyOffset_ = 0;

  std::shared_ptr<BodyLink> link;
  // However this ends.
  struct Cut {
    std::shared_ptr<BodyLink>& link;
    ~Cut() {
      if (link) link->cut();
    }
  } const cut{link};
  if (parser_.hasBody()) {
    bodyBegan_ = std::chrono::steady_clock::now();
    bodyReceived_ = 0;
    link = std::make_shared<BodyLink>();
    link->exchange = this;
    request.body = http::Body(std::make_unique<RequestBody>(link), parser_.contentLength());
  }
  bool keep = http11 && parser_.keepAlive() && !parser_.isUpgrade();
  {
    http::Response response;
    try {
      response = handler.handle(request);
    } catch (const std::exception& e) {
      stratos::log(log, LogLevel::Error, "a handler failed", {{"error", e.what()}});
      response = http::Response::text(500, "Internal Server Error");
    }
    // A client that still waits for "100 Continue" may or may not send its body: nobody can tell
    // where the next request would begin.
    if (continueExpected_ && !parser_.messageComplete()) keep = false;
    if (stopping) keep = false;
    writeResponse(request, response, log, keep);
  }
  if (link) link->cut();
  if (!parser_.messageComplete()) keep = keep && drainBody();
  if (!keep) {
    const bool unread = !parser_.messageComplete() || hasInput();
    stream_.endGently(unread ? kLingerTime : std::chrono::milliseconds{0},
                      unread ? kLingerBytes : 0);
    return false;
  }
  parser_.next();
  bodyBytes_.clear();
  return true;
}

void HttpExchange::refuse(int status) noexcept {
  try {
    const std::string reason(http::reasonPhrase(status));
    stream_.write("HTTP/1.1 " + std::to_string(status) + " " + reason + "\r\nDate: " + now() +
                      "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: " +
                      std::to_string(reason.size()) + "\r\nConnection: close\r\n\r\n" + reason,
                  limits_.writeIdleTimeout);
    stream_.endGently(kLingerTime, kLingerBytes);
  } catch (const Error&) {
    return;  // The client did not wait for its answer.
  }
}

Deadline HttpExchange::bodyDeadline() const {
  const Deadline idle = Deadline::after(limits_.bodyIdleTimeout);
  if (Waiter::current() != nullptr) return idle;
  const std::chrono::milliseconds earned(1'000 * bodyReceived_ / limits_.minBodyBytesPerSecond);
  const auto spent = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - bodyBegan_);
  return earliest(idle, Deadline::after(limits_.bodyIdleTimeout + earned - spent));
}

std::size_t HttpExchange::readBody(char* buffer, std::size_t capacity, Deadline deadline) {
  std::array<char, kReadBytes> received;
  while (bodyOffset_ == bodyBytes_.size()) {
    if (parser_.messageComplete()) return 0;
    if (continueExpected_) {
      continueExpected_ = false;
      stream_.write("HTTP/1.1 100 Continue\r\n\r\n", limits_.writeIdleTimeout);
    }
    if (input_.empty()) {
      const std::size_t count = stream_.read(received.data(), received.size(), deadline);
      if (count == 0) {
        throw Error(ErrorCode::Unavailable, "The client ended in the middle of its request");
      }
      bodyReceived_ += count;
      input_.assign(received.data(), count);
    }
    input_.erase(0, parser_.feed(input_));
    if (parser_.failure() != http::ParseFailure::None) {
      throw Error(ErrorCode::Unavailable,
                  "The request's body is malformed: " + parser_.failureReason());
    }
    bodyBytes_ = parser_.takeBody();
    bodyOffset_ = 0;
    if (!bodyBytes_.empty()) continueExpected_ = false;
  }
  const std::size_t count = std::min(capacity, bodyBytes_.size() - bodyOffset_);
  std::memcpy(buffer, bodyBytes_.data() + bodyOffset_, count);
  bodyOffset_ += count;
  return count;
}

bool HttpExchange::drainBody() {
  std::array<char, kReadBytes> buffer;
  std::size_t drained = 0;
  const Deadline deadline = Deadline::after(kLingerTime);
  try {
    while (drained <= limits_.drainLimitBytes) {
      const std::size_t count = readBody(buffer.data(), buffer.size(), deadline);
      if (count == 0) return true;
      drained += count;
    }
  } catch (const Error&) {
    return false;  // The response has been written; only the connection ends.
  }
  return false;
}

std::string HttpExchange::originForm() const {
  const std::string& target = parser_.target();
  if (target.starts_with('/')) return target;
  if (target == "*" && parser_.method() == "OPTIONS") return target;
  // RFC 9112 section 3.2.2: a server must accept the absolute form, too.
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!equalsIgnoreCase(std::string_view(target).substr(0, scheme.size()), scheme)) continue;
    const std::size_t end = target.find_first_of("/?", scheme.size());
    if (end == std::string::npos) return "/";
    return target[end] == '/' ? target.substr(end) : "/" + target.substr(end);
  }
  return {};
}

void HttpExchange::writeResponse(const http::Request& request, http::Response& response,
                                 LogSink& log, bool& keep) {
  const int status = response.status >= 200 && response.status <= 999 ? response.status : 500;
  const bool isHead = request.method == "HEAD";
  const bool bodyless = status == 204 || status == 304;
  std::optional<std::uint64_t> length = response.body.length();
  const bool chunked = !length && !bodyless && !isHead && parser_.minorVersion() >= 1;
  if (!length && !bodyless && !isHead && !chunked) keep = false;  // It ends with the connection.

  // A small body goes out in one piece with the head.
  const bool joined = !isHead && !bodyless && !response.body.isStream() &&
                      response.body.bytes().size() <= kPieceBytes;
  std::string head;
  head.reserve(kHeadBytes + (joined ? response.body.bytes().size() : 0));
  head.append("HTTP/1.1 ").append(std::to_string(status)).append(" ");
  head.append(http::reasonPhrase(status)).append("\r\n");
  if (!response.headers.has("Date")) head.append("Date: ").append(now()).append("\r\n");
  for (const auto& [name, value] : response.headers) {
    if (!isFramingField(name)) head.append(name).append(": ").append(value).append("\r\n");
  }
  if (isHead && !bodyless) {
    // A handler that knows the length without having the body says so in the field.
    const std::string_view said = response.headers.get("Content-Length");
    if (length.value_or(0) == 0 && isDigits(said)) {
      head.append("Content-Length: ").append(said).append("\r\n");
    } else if (length) {
      head.append("Content-Length: ").append(std::to_string(*length)).append("\r\n");
    }
  } else if (chunked) {
    head.append("Transfer-Encoding: chunked\r\n");
  } else if (length && !bodyless) {
    head.append("Content-Length: ").append(std::to_string(*length)).append("\r\n");
  }
  if (!keep) head.append("Connection: close\r\n");
  head.append("\r\n");

  if (isHead || bodyless) {
    stream_.write(head, limits_.writeIdleTimeout);
    return;
  }
  if (!response.body.isStream()) {
    const std::string& bytes = response.body.bytes();
    if (joined) head.append(bytes);
    stream_.write(head, limits_.writeIdleTimeout);
    if (!joined) stream_.write(bytes, limits_.writeIdleTimeout);
    return;
  }
  try {
    writeStream(head, response.body, chunked, length);
  } catch (const Error& e) {
    stratos::log(log, LogLevel::Info, "a response broke off", {{"reason", e.what()}});
    // Without a length and without chunks, only a reset tells a broken body from a complete one.
    if (!chunked && !length) stream_.resetOnClose();
    throw;
  }
}

void HttpExchange::writeStream(const std::string& head, http::Body& body, bool chunked,
                               std::optional<std::uint64_t> length) {
  // The head goes out before the first piece is there: the browser may be waiting for just that.
  stream_.write(head, limits_.writeIdleTimeout);
  // Each piece has room for its chunk size in front and its line end behind: one write per piece.
  constexpr std::size_t kFront = 10;
  std::size_t capacity = kFirstPieceBytes;
  const auto began = std::chrono::steady_clock::now();
  std::string buffer(kFront + capacity + 2, '\0');
  std::uint64_t written = 0;
  for (;;) {
    const std::size_t count = body.read(buffer.data() + kFront, capacity);
    if (count == 0) break;
    written += count;
    if (length && written > *length) {
      throw Error(ErrorCode::Internal, "The body is longer than it said");
    }
    std::string_view piece(buffer.data() + kFront, count);
    if (chunked) {
      std::array<char, kFront> size{};
      char* const end = std::to_chars(size.data(), size.data() + kFront - 2, count, 16).ptr;
      end[0] = '\r';
      end[1] = '\n';
      const auto sizeLength = static_cast<std::size_t>(end + 2 - size.data());
      std::memcpy(buffer.data() + kFront - sizeLength, size.data(), sizeLength);
      std::memcpy(buffer.data() + kFront + count, "\r\n", 2);
      piece = std::string_view(buffer.data() + kFront - sizeLength, sizeLength + count + 2);
    }
    stream_.write(piece, limits_.writeIdleTimeout);
    if (count == capacity && capacity < kPieceBytes && isFast(written, began)) {
      capacity = kPieceBytes;
      buffer = std::string(kFront + capacity + 2, '\0');
    }
  }
  if (length && written < *length) {
    throw Error(ErrorCode::Unavailable, "The body is shorter than it said");
  }
  if (chunked) stream_.write("0\r\n\r\n", limits_.writeIdleTimeout);
}

}  // namespace stratos::server
