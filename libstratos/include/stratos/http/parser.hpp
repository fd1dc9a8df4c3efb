#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "stratos/base/export.hpp"
#include "stratos/http/headers.hpp"

namespace stratos::http {

struct ParserLimits {
  std::size_t headBytes = 64 * 1024;  ///< Start line and fields together.
  std::size_t targetBytes = 16 * 1024;
  std::size_t fields = 200;
};

/// What went wrong with a message, as a value: to a server hostile input is ordinary traffic.
enum class ParseFailure {
  None,
  Malformed,      ///< Not HTTP/1.1, or framing that RFC 9112 section 6 calls invalid.
  HeadTooLarge,   ///< Status 431.
  TargetTooLong,  ///< Status 414.
  VersionNotSupported,
};

/// Incremental strict HTTP/1.1 parser for one message after the other on a connection, requests or
/// responses, on top of llhttp. Refuses what smuggling needs: both Content-Length and
/// Transfer-Encoding, repeated or signed lengths, bare LF, obs-fold, white space before the colon.
///
/// Use: feed() bytes; when headComplete(), read the head; body bytes come out of feed() through
/// takeBody(); when messageComplete(), call next() and feed the bytes that were not consumed.
/// One thread at a time; no I/O, no exceptions for bad input.
class STRATOS_EXPORT MessageParser {
 public:
  enum class Kind { Request, Response };
  explicit MessageParser(Kind kind, ParserLimits limits = {});
  ~MessageParser();
  MessageParser(const MessageParser&) = delete;
  MessageParser& operator=(const MessageParser&) = delete;

  /// Parses `data` and returns how many bytes were consumed; fewer than given once the message is
  /// complete or broken. Head and body may be completed by one call. Body bytes of one call are
  /// appended to what takeBody() returns, so feed at most what you are ready to hold.
  std::size_t feed(std::string_view data);
  /// The peer has closed its side. Completes a response whose body ends with the connection; makes
  /// any other unfinished message Malformed.
  void feedEnd();
  /// Prepares for the next message on the same connection.
  void next();
  /// The response being parsed answers a HEAD request (or a 2xx CONNECT): it has no body.
  void setNoBodyExpected(bool noBody);

  [[nodiscard]] bool headComplete() const noexcept;
  [[nodiscard]] bool messageComplete() const noexcept;
  [[nodiscard]] ParseFailure failure() const noexcept;
  /// One sentence for the log; holds no message bytes.
  [[nodiscard]] std::string failureReason() const;
  /// True when nothing of the next message has been seen yet.
  [[nodiscard]] bool idle() const noexcept;

  // Valid once headComplete().
  [[nodiscard]] const std::string& method() const noexcept;
  [[nodiscard]] const std::string& target() const noexcept;
  [[nodiscard]] int status() const noexcept;
  [[nodiscard]] const std::string& reason() const noexcept;
  [[nodiscard]] int minorVersion() const noexcept;
  [[nodiscard]] Headers& headers() noexcept;
  /// The body's length when Content-Length says it.
  [[nodiscard]] std::optional<std::uint64_t> contentLength() const noexcept;
  /// The message has a body (of known length above zero, chunked, or until the connection ends).
  [[nodiscard]] bool hasBody() const noexcept;
  /// The connection may carry another message afterwards.
  [[nodiscard]] bool keepAlive() const noexcept;
  [[nodiscard]] bool isUpgrade() const noexcept;

  /// The decoded body bytes parsed so far and not yet taken.
  [[nodiscard]] std::string takeBody();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stratos::http
