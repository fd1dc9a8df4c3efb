#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <Poco/Net/Context.h>

#include "http_exchange.hpp"
#include "stratos/base/log.hpp"
#include "stratos/http/message.hpp"
#include "stratos/http/parser.hpp"

namespace stratos::server {

/// Where to listen. An empty host means every address, IPv6 and IPv4; port 0 any free port.
struct ListenAddress {
  std::string host;
  std::uint16_t port = 0;

  /// Parses `host:port`, `:port` or `[ipv6]:port`. Throws Error(InvalidArgument) naming `setting`.
  [[nodiscard]] static ListenAddress parse(const std::string& text, const std::string& setting);
  [[nodiscard]] std::string str() const;
};

struct HttpServerOptions {
  http::ParserLimits parser;
  ExchangeLimits exchange;
  /// From the first byte of a request (or of the TLS handshake) to the end of its head.
  std::chrono::milliseconds headTimeout{10'000};
  /// Of a connection between requests.
  std::chrono::milliseconds idleTimeout{75'000};
  /// Threads that accept and watch connections and run fibers; 0 for one per core that the process
  /// may use, 64 at most.
  std::size_t eventLoops = 0;
  /// Says of a request target whether its handler mostly waits for others, in ways that leave the
  /// thread to others (stratos/base/waiting.hpp). The loops run such handlers themselves, as many as
  /// there are connections. Null: none.
  bool (*mostlyWaits)(std::string_view target) = nullptr;
  /// Other handlers that run at the same time; each holds a thread while it runs, the rest waits.
  std::size_t workers = 64;
  /// Threads for what fibers cannot do without blocking: the database, and for as long as hosts out
  /// there make them wait, name resolution and renewal of tokens. Of the latter so many may queue.
  std::size_t blockingThreads = 64;
  std::size_t networkThreads = 64;
  std::size_t networkQueue = 1'024;
  std::size_t maxConnections = 4'096;
};

/// An HTTP/1.1 server for a Handler.
///
/// A few threads (ConnectionLoop) own all connections. None that is idle, in its TLS handshake or in
/// an incomplete head holds anything but its memory.
///
/// Thread safety: all members may be called concurrently, listen() before start() only.
class HttpServer {
 public:
  /// `handler` and `log` must outlive the server.
  HttpServer(http::Handler& handler, LogSink& log, HttpServerOptions options = {});
  /// Stops without waiting for requests in flight to be answered, but waits for their handlers.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// Binds and listens; connections wait for start(). `tls` is null for plain HTTP. Returns the
  /// port. Throws Error(Unavailable) that names the address when it cannot be had.
  std::uint16_t listen(const ListenAddress& address, const Poco::Net::Context::Ptr& tls = nullptr);
  /// The port of the `index`th listener.
  [[nodiscard]] std::uint16_t port(std::size_t index = 0) const;
  void start();

  /// Connections that the `index`th listener accepts from now on use `tls`, not null; those that
  /// are there go on as they are.
  void replaceTls(std::size_t index, const Poco::Net::Context::Ptr& tls);

  /// Refuses new connections, closes idle ones and waits up to `drain` for requests in flight, then
  /// cancels them and cuts their connections. Calls that outlive their requests are cancelled
  /// when the last connection has gone. True when none had to be cut. Idempotent.
  bool stop(std::chrono::milliseconds drain);

  /// Open connections and requests in flight at this moment.
  [[nodiscard]] std::size_t connections() const;
  [[nodiscard]] std::size_t activeRequests() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stratos::server
