#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "stratos/base/deadline.hpp"
#include "stratos/base/export.hpp"
#include "stratos/testing/test_certificates.hpp"

namespace stratos::testing {

/// Header fields in their order on the wire.
using HeaderList = std::vector<std::pair<std::string, std::string>>;

/// A request as it arrived: nothing is decoded, and of header values only the white space around
/// them is gone.
struct STRATOS_EXPORT ReceivedRequest {
  std::string method;
  std::string target;   ///< Byte for byte from the request line.
  std::string version;  ///< "HTTP/1.1"
  HeaderList headers;
  std::string body;              ///< Without transfer coding; in the log only its beginning.
  std::uint64_t bodySize = 0;    ///< Of the whole body.
  std::uint64_t connection = 0;  ///< Number of the connection, from 1.
  bool secure = false;
  std::string clientCommonName;  ///< From the client's certificate, when it sent one.

  /// The first value of a field, empty when there is none. Names in any case.
  [[nodiscard]] std::string header(std::string_view name) const;
  [[nodiscard]] std::size_t headerCount(std::string_view name) const;
  /// The target up to '?', raw.
  [[nodiscard]] std::string path() const;
  /// The target after '?', raw.
  [[nodiscard]] std::string query() const;
  /// The decoded value of a query parameter.
  [[nodiscard]] std::optional<std::string> queryValue(std::string_view name) const;
};

/// The connection itself, for handlers that leave HTTP (WebSocket, streams, faults of their own).
/// Used by the connection's own thread only.
class STRATOS_EXPORT PeerConnection {
 public:
  virtual ~PeerConnection() = default;
  /// False when the other side is gone.
  virtual bool send(std::string_view bytes) = 0;
  /// What arrives within `wait`: empty text after the end of the stream or a stopping server,
  /// nullopt when time ran out.
  virtual std::optional<std::string> receive(std::chrono::milliseconds wait) = 0;
  /// Waits; false at once when the server stops.
  virtual bool pause(std::chrono::milliseconds wait) = 0;
};

/// What a handler answers.
struct Reply {
  int status = 200;
  HeaderList headers;
  std::string body;
  /// Sends the body in chunks of this size instead of with Content-Length.
  std::size_t chunkSize = 0;
  /// Replaces everything above: writes head and body itself; the connection is closed afterwards.
  std::function<void(PeerConnection&)> raw = {};
};

using UpstreamHandler = std::function<Reply(const ReceivedRequest&)>;

enum class FaultKind {
  Delay,               ///< Waits `delay`, then answers as usual.
  Hold,                ///< Waits for release(), then answers as usual.
  CloseBeforeAnswer,   ///< Reads the request and closes; the handler does not run.
  CloseAfterHandling,  ///< The handler runs, its answer is lost.
  Reset,               ///< As CloseBeforeAnswer, with a TCP reset.
  CutBody,             ///< Closes in the middle of the answer's body.
  BrokenChunk,         ///< Sends a chunk whose size is no number.
  EndlessHeaders,      ///< Sends header fields until the other side gives up.
  HtmlPage,            ///< 200 with HTML, as a proxy in between would send.
  Status,              ///< `status` with `body`.
  TooManyRequests,     ///< 429 with Retry-After.
  Unauthorized,        ///< 401 in the server's own form.
  Hang,                ///< Never answers; ends when either side goes.
  SlowDrip,            ///< Sends the answer byte by byte, `delay` apart.
};

/// Misbehaviour for the next requests that match.
struct Fault {
  FaultKind kind = FaultKind::Status;
  std::string pathPrefix = "/";
  std::string method = {};  ///< Empty: any.
  int times = 1;            ///< How many requests; negative: until clearFaults().
  std::chrono::milliseconds delay{0};
  int status = 500;
  std::string body = {};
  std::string contentType = "text/plain";
  int retryAfterSeconds = 1;
  /// Strikes before the request's body is read (Status, Close, Reset, Hang, ...).
  bool beforeBody = false;
};

/// What happens to a new connection before any byte is read from it.
enum class AcceptMode { Normal, Hang, Close };

struct FakeUpstreamOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;               ///< 0: any free one.
  std::optional<TlsIdentity> tls = {};  ///< Speaks TLS (1.2 or later) when set.
  std::string clientCaPem = {};  ///< Asks for client certificates that this authority signed.
  bool requireClientCertificate = false;
  std::size_t loggedBodyBytes = 64 * 1024;
  std::size_t loggedRequests = 100'000;  ///< Older ones are forgotten.
};

/// An HTTP/1.1 server on a real socket that does what a test tells it.
///
/// It shares no code with the library's own HTTP parser and is strict: bare LF, folded fields, a
/// missing Host, Content-Length next to Transfer-Encoding and the like are answered with 400 and
/// counted in protocolErrors(). One thread serves each connection.
///
/// Thread safety: all members may be called concurrently; handlers run on connection threads.
/// Lifetime: the destructor closes all connections and joins their threads; whatever handlers use
/// must live until then.
class STRATOS_EXPORT FakeUpstream {
 public:
  /// Listens at once. Throws Error(Unavailable) when the address cannot be had.
  explicit FakeUpstream(FakeUpstreamOptions options = {});
  ~FakeUpstream();
  FakeUpstream(const FakeUpstream&) = delete;
  FakeUpstream& operator=(const FakeUpstream&) = delete;

  /// `scheme://host:port`, without a trailing slash.
  [[nodiscard]] const std::string& url() const noexcept;
  [[nodiscard]] std::uint16_t port() const noexcept;

  /// Installs a handler; the longest matching prefix of the raw path wins. Without any: 404.
  void handle(std::string pathPrefix, UpstreamHandler handler);
  /// The 401 of FaultKind::Unauthorized.
  void setUnauthorizedReply(UpstreamHandler handler);

  void addFault(Fault fault);
  void clearFaults();
  void setAcceptMode(AcceptMode mode);
  /// Lets requests held by FaultKind::Hold go on.
  void release();
  /// Waits until `count` requests are held; false when the deadline passes.
  [[nodiscard]] bool waitUntilHeld(std::size_t count, Deadline deadline) const;

  /// The requests whose bodies arrived (or that a fault struck earlier), in order.
  [[nodiscard]] std::vector<ReceivedRequest> requests() const;
  /// Those whose raw path starts with `pathPrefix`.
  [[nodiscard]] std::vector<ReceivedRequest> requestsTo(std::string_view pathPrefix) const;
  /// All that ever came, not only those still in the log.
  [[nodiscard]] std::uint64_t requestCount() const;
  /// Waits until `count` requests came; false when the deadline passes.
  [[nodiscard]] bool waitForRequests(std::uint64_t count, Deadline deadline) const;
  void clearRequests();

  [[nodiscard]] std::uint64_t connectionCount() const;  ///< Ever accepted.
  [[nodiscard]] std::size_t openConnections() const;    ///< Now.
  [[nodiscard]] std::uint64_t protocolErrors() const;   ///< Requests that were not HTTP.
  [[nodiscard]] std::uint64_t failedHandshakes() const;
  /// Waits until at most `count` connections are open; false when the deadline passes.
  [[nodiscard]] bool waitForOpenConnections(std::size_t count, Deadline deadline) const;
  /// Closes every open connection; new ones are welcome.
  void closeConnections();
  /// Stops listening and closes all connections; the port is free then.
  void stop() noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// A reply with a JSON body that is already serialised.
[[nodiscard]] STRATOS_EXPORT Reply jsonReply(int status, std::string json);

}  // namespace stratos::testing
