#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "client_stream.hpp"
#include "stratos/base/log.hpp"
#include "stratos/http/message.hpp"
#include "stratos/http/parser.hpp"

namespace stratos::server {

struct ExchangeLimits {
  /// Longest silence of a client that is sending a body or taking a response.
  std::chrono::milliseconds bodyIdleTimeout{30'000};
  /// A body that a thread waits for has to come at this rate at least, once that time is over: it
  /// is not held for whoever sends a byte now and then.
  std::size_t minBodyBytesPerSecond = 4 * 1024;
  std::chrono::milliseconds writeIdleTimeout{30'000};
  /// How much of a body that the handler did not read is read for it, so that the connection can be
  /// kept.
  std::size_t drainLimitBytes = 64 * 1024;
};

/// The HTTP/1.1 side of one connection: heads come in piece by piece without waiting, then a
/// handler answers. One thread at a time, except cancel().
class HttpExchange {
 public:
  HttpExchange(ClientStream stream, std::string peerAddress, http::ParserLimits parserLimits,
               ExchangeLimits limits);

  enum class HeadState {
    Ready,     ///< Call answer().
    NeedMore,  ///< Nothing more to read now.
    Ended,     ///< The client has gone.
    Refused,   ///< Call refuse(); see refusalStatus().
  };
  /// Reads and parses what is there, without waiting. Looks for more only after noteInput() or a
  /// read that may have left something. Throws what ClientStream::tryRead() throws.
  [[nodiscard]] HeadState readHead();
  /// There may be something to read. From any thread.
  void noteInput() noexcept { mayHaveInput_ = true; }
  /// The request target as it came; after Ready.
  [[nodiscard]] const std::string& target() const noexcept { return parser_.target(); }
  /// The status for a head that is not acceptable.
  [[nodiscard]] int refusalStatus() const noexcept { return refusalStatus_; }
  /// The head has taken too long: what there is of it is refused.
  void giveUpHead() noexcept { refusalStatus_ = 408; }
  [[nodiscard]] std::string refusalReason() const { return parser_.failureReason(); }

  /// Lets `handler` answer the request whose head is ready, and writes the response. True when the
  /// connection can carry another request, which it may not once `stopping` is set. Never throws
  /// for what the handler does; throws Error when the connection breaks.
  [[nodiscard]] bool answer(http::Handler& handler, LogSink& log,
                            const std::atomic<bool>& stopping);
  /// Answers with a bare error and ends the connection.
  void refuse(int status) noexcept;

  /// Nothing of a next request has been seen.
  [[nodiscard]] bool isIdle() const noexcept { return input_.empty() && parser_.idle(); }
  /// Bytes of a next request are here already, where epoll does not see them.
  [[nodiscard]] bool hasInput() const { return !input_.empty() || stream_.hasBufferedInput(); }

  /// Tells the handler that nobody waits for its answer any more. From any thread.
  void cancel() noexcept { cancelled_.request_stop(); }
  [[nodiscard]] ClientStream& stream() noexcept { return stream_; }

 private:
  class RequestBody;
  struct BodyLink;

  /// How long a handler that reads the body may wait for its next piece.
  [[nodiscard]] Deadline bodyDeadline() const;
  std::size_t readBody(char* buffer, std::size_t capacity, Deadline deadline);
  /// Reads what the handler left; false when that is too much, takes too long or is malformed.
  [[nodiscard]] bool drainBody();
  /// The path and query of the request target; empty when it is no such target.
  [[nodiscard]] std::string originForm() const;
  void writeResponse(const http::Request& request, http::Response& response, LogSink& log,
                     bool& keep);
  void writeStream(const std::string& head, http::Body& body, bool chunked,
                   std::optional<std::uint64_t> length);

  ClientStream stream_;
  const std::string peerAddress_;
  const ExchangeLimits limits_;
  http::MessageParser parser_;
  std::string input_;      ///< Received and not yet parsed.
  std::string bodyBytes_;  ///< Parsed and not yet given to the handler.
  std::size_t bodyOffset_ = 0;
  std::chrono::steady_clock::time_point bodyBegan_;
  std::uint64_t bodyReceived_ = 0;
  bool continueExpected_ = false;
  int refusalStatus_ = 0;
  std::stop_source cancelled_;
  std::atomic<bool> mayHaveInput_ = true;
};

}  // namespace stratos::server
