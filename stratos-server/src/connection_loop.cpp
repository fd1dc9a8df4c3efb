#include "connection_loop.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <Poco/Exception.h>
#include <Poco/Net/SocketAddress.h>
#include <Poco/Net/StreamSocketImpl.h>

#include "stratos/base/error.hpp"
#include "stratos/base/waiting.hpp"

namespace stratos::server {
namespace {

using Steady = std::chrono::steady_clock;

// Each loop takes a few of those that wait and leaves the rest to the others.
constexpr int kAcceptBatch = 8;
constexpr std::uint32_t kOfConnections = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
constexpr std::uint32_t kOfEntrances = EPOLLIN | EPOLLEXCLUSIVE;
constexpr std::uint32_t kGone = EPOLLRDHUP | EPOLLHUP | EPOLLERR;

constexpr std::string_view kTooMany =
    "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n"
    "Connection: close\r\n\r\n";

std::string addressOf(const sockaddr_storage& address, socklen_t length) {
  const Poco::Net::SocketAddress peer(reinterpret_cast<const sockaddr*>(&address), length);
  std::string text = peer.host().toString();
  // A listener for both families sees IPv4 clients as mapped addresses (RFC 4291 section 2.5.5.2).
  constexpr std::string_view kMapped = "::ffff:";
  if (text.starts_with(kMapped) && text.find('.') != std::string::npos) {
    text.erase(0, kMapped.size());
  }
  return text;
}

bool isOutOfResources(int error) {
  return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS;
}

}  // namespace

std::chrono::milliseconds scanInterval(const HttpServerOptions& options) {
  return std::clamp(std::min(options.headTimeout, options.idleTimeout) / 4,
                    std::chrono::milliseconds{5}, std::chrono::milliseconds{500});
}

ServerShared::ServerShared(http::Handler& requestHandler, LogSink& logSink,
                           HttpServerOptions serverOptions)
    : handler(requestHandler),
      log(logSink),
      options(serverOptions),
      workers(std::make_unique<WorkerPool>(options.workers, options.maxConnections)),
      blocking(std::make_unique<WorkerPool>(options.blockingThreads)),
      network(std::make_unique<WorkerPool>(options.networkThreads, options.networkQueue)) {}

class ConnectionLoop::Connection final : public engine::Watch,
                                         public std::enable_shared_from_this<Connection> {
 public:
  enum class Holder { Loop, Fiber };

  Connection(ConnectionLoop& owner, std::uint64_t number, ClientStream stream, std::string peer,
             const HttpServerOptions& options)
      : id(number),
        exchange(std::move(stream), std::move(peer), options.parser, options.exchange),
        expiresAt(Steady::now() + options.idleTimeout),
        loop_(owner) {}

  void onEvents(std::uint32_t events) override { loop_.onEvents(shared_from_this(), events); }

  const std::uint64_t id;
  HttpExchange exchange;  ///< Belongs to `holder`.
  Holder holder = Holder::Loop;
  engine::FiberId fiber;
  bool onWorker = false;  ///< The request's handler may block.
  bool answering = false;
  bool answeredOnce = false;
  bool inHead = false;  ///< `expiresAt` is the deadline of the current head.
  bool clientGone = false;
  Steady::time_point expiresAt;

 private:
  ConnectionLoop& loop_;
};

class ConnectionLoop::Entrance final : public engine::Watch {
 public:
  Entrance(ConnectionLoop& owner, const Listener& entranceListener)
      : listener(entranceListener), loop_(owner) {}
  void onEvents(std::uint32_t) override { loop_.accept(*this); }
  [[nodiscard]] int descriptor() const { return listener.socket.impl()->sockfd(); }

  const Listener& listener;
  bool paused = false;

 private:
  ConnectionLoop& loop_;
};

ConnectionLoop::ConnectionLoop(ServerShared& shared)
    : shared_(shared),
      onWorker_(shared.handler),
      loop_(*shared.blocking,
            {.network = shared.network.get(), .anything = shared.workers.get()}) {}

ConnectionLoop::~ConnectionLoop() { join(); }

void ConnectionLoop::start() {
  for (const auto& listener : shared_.listeners) {
    entrances_.push_back(std::make_unique<Entrance>(*this, *listener));
    loop_.watch(entrances_.back()->descriptor(), kOfEntrances, *entrances_.back());
  }
  loop_.setTick(scanInterval(shared_.options), [this] { tick(); });
  thread_ = std::thread([this] {
    blockSigpipe();
    loop_.run();
    connections_.clear();
  });
}

void ConnectionLoop::join() {
  if (!thread_.joinable()) return;
  loop_.stop();
  thread_.join();
}

void ConnectionLoop::closeEntrance(std::function<void()> done) {
  loop_.post([this, done = std::move(done)] {
    for (const auto& entrance : entrances_) {
      if (!entrance->paused) loop_.unwatch(entrance->descriptor());
    }
    entrances_.clear();
    done();
  });
}

void ConnectionLoop::closeIdle() {
  loop_.post([this] {
    std::vector<ConnectionPtr> all;
    for (const auto& [id, connection] : connections_) all.push_back(connection);
    for (const ConnectionPtr& connection : all) {
      if (connection->holder != Connection::Holder::Loop) continue;
      // What has been asked already is answered; rest() removes the others.
      connection->exchange.noteInput();
      proceed(connection);
    }
  });
}

void ConnectionLoop::cut() {
  loop_.post([this] {
    std::vector<ConnectionPtr> all;
    for (const auto& [id, connection] : connections_) all.push_back(connection);
    for (const ConnectionPtr& connection : all) {
      connection->exchange.stream().shutDown();
      connection->exchange.cancel();
    }
    loop_.cancelAll();
  });
}

void ConnectionLoop::accept(Entrance& entrance) {
  for (int i = 0; i < kAcceptBatch; ++i) {
    sockaddr_storage peer{};
    socklen_t length = sizeof peer;
    const int descriptor = ::accept4(entrance.descriptor(), reinterpret_cast<sockaddr*>(&peer),
                                     &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor >= 0) {
      admit(descriptor, entrance.listener, addressOf(peer, length));
    } else if (isOutOfResources(errno)) {
      log(shared_.log, LogLevel::Error, "cannot accept connections for now",
          {{"error", std::strerror(errno)}});
      // Without a pause the loop would spin on the listener.
      loop_.unwatch(entrance.descriptor());
      entrance.paused = true;
      return;
    } else if (errno != EINTR && errno != ECONNABORTED) {
      return;
    }
  }
}

void ConnectionLoop::admit(int descriptor, const Listener& listener, std::string peer) {
  try {
    ClientStream stream(Poco::Net::StreamSocket(new Poco::Net::StreamSocketImpl(descriptor)),
                        listener.tls());
    if (shared_.connections >= shared_.options.maxConnections) {
      turnAway(stream);
      return;
    }
    const std::uint64_t id = nextId_++;
    const auto connection = std::make_shared<Connection>(*this, id, std::move(stream),
                                                         std::move(peer), shared_.options);
    loop_.watch(descriptor, kOfConnections, *connection);
    connections_.emplace(id, connection);
    ++shared_.connections;
  } catch (const Poco::Exception& e) {
    log(shared_.log, LogLevel::Error, "cannot accept a connection", {{"error", e.displayText()}});
  } catch (const Error& e) {
    log(shared_.log, LogLevel::Error, "cannot accept a connection", {{"error", e.what()}});
  }
}

void ConnectionLoop::turnAway(ClientStream& stream) {
  if (!std::exchange(limitLogged_, true)) {
    log(shared_.log, LogLevel::Warning, "refusing connections: there are too many",
        {{"limit", shared_.options.maxConnections}});
  }
  // A TLS handshake for each of them would do the attacker's work.
  if (stream.isSecure()) return;
  try {
    stream.write(kTooMany, std::chrono::milliseconds{0});
  } catch (const Error&) {
    return;  // It did not wait for its answer.
  }
}

void ConnectionLoop::resumeEntrances() {
  for (const auto& entrance : entrances_) {
    if (!std::exchange(entrance->paused, false)) continue;
    loop_.watch(entrance->descriptor(), kOfEntrances, *entrance);
  }
}

void ConnectionLoop::onEvents(ConnectionPtr connection, std::uint32_t events) {
  connection->exchange.noteInput();
  if ((events & kGone) != 0) connection->clientGone = true;
  switch (connection->holder) {
    case Connection::Holder::Loop:
      // Room to write is news only to a handshake.
      if ((events & (EPOLLIN | kGone)) == 0 && !connection->exchange.stream().wantsToWrite()) {
        return;
      }
      if (!connection->inHead) {
        connection->inHead = true;
        connection->expiresAt = Steady::now() + shared_.options.headTimeout;
      }
      proceed(connection);
      return;
    case Connection::Holder::Fiber:
      if (!connection->clientGone) return;
      connection->exchange.cancel();
      // Whoever has only closed the sending side may be waiting for what a worker is making.
      if (connection->onWorker && (events & (EPOLLHUP | EPOLLERR)) == 0) return;
      loop_.cancel(connection->fiber);
      return;
  }
}

void ConnectionLoop::proceed(const ConnectionPtr& connection) {
  if (const Next next = advance(connection); next != Next::Nothing) runFiber(connection, next);
}

ConnectionLoop::Next ConnectionLoop::advance(const ConnectionPtr& connection) {
  HttpExchange& exchange = connection->exchange;
  try {
    switch (exchange.readHead()) {
      case HttpExchange::HeadState::NeedMore:
        rest(*connection);
        return Next::Nothing;
      case HttpExchange::HeadState::Ended:
        remove(*connection);
        return Next::Nothing;
      case HttpExchange::HeadState::Refused:
        log(shared_.log, LogLevel::Info, "a request was refused",
            {{"status", exchange.refusalStatus()}, {"reason", exchange.refusalReason()}});
        return Next::Refuse;
      case HttpExchange::HeadState::Ready:
        break;
    }
  } catch (const Error& e) {
    // What clients do to their connections is ordinary traffic.
    log(shared_.log, LogLevel::Debug, "a connection ended", {{"reason", e.what()}});
    remove(*connection);
    return Next::Nothing;
  }
  beginAnswer(*connection);
  connection->onWorker =
      shared_.options.mostlyWaits == nullptr || !shared_.options.mostlyWaits(exchange.target());
  return Next::Answer;
}

void ConnectionLoop::runFiber(const ConnectionPtr& connection, Next next) {
  connection->holder = Connection::Holder::Fiber;
  try {
    connection->fiber = {};
    const engine::FiberId fiber =
        loop_.spawn([this, connection, next] { serve(connection, next); });
    // It may have ended already, or be waiting now.
    connection->fiber = fiber;
    if (connection->clientGone && connection->holder == Connection::Holder::Fiber) {
      connection->exchange.cancel();
      if (!connection->onWorker) loop_.cancel(fiber);
    }
  } catch (const Error& e) {
    log(shared_.log, LogLevel::Error, "a request cannot be answered", {{"reason", e.what()}});
    endAnswer(*connection);
    remove(*connection);
  }
}

void ConnectionLoop::serve(ConnectionPtr connection, Next next) {
  HttpExchange& exchange = connection->exchange;
  try {
    while (next == Next::Answer) {
      http::Handler& handler = connection->onWorker ? onWorker_ : shared_.handler;
      const bool keep = exchange.answer(handler, shared_.log, shared_.stopping);
      endAnswer(*connection);
      if (!keep || connection->clientGone) break;
      next = advance(connection);
      if (next == Next::Nothing) return;
      // One client that asks without a pause must not have the loop for itself.
      yield();
      if (connection->clientGone) break;
    }
    if (next == Next::Refuse) exchange.refuse(exchange.refusalStatus());
  } catch (const std::exception& e) {
    log(shared_.log, LogLevel::Debug, "a connection ended", {{"reason", e.what()}});
  }
  endAnswer(*connection);
  remove(*connection);
}

void ConnectionLoop::beginAnswer(Connection& connection) {
  connection.answering = true;
  ++shared_.answering;
}

void ConnectionLoop::endAnswer(Connection& connection) {
  if (!std::exchange(connection.answering, false)) return;
  --shared_.answering;
  connection.answeredOnce = true;
  connection.inHead = false;
}

void ConnectionLoop::rest(Connection& connection) {
  // The event that said that the client has gone does not come again.
  if (shared_.stopping || connection.clientGone) {
    remove(connection);
    return;
  }
  connection.holder = Connection::Holder::Loop;
  // A first request has its deadline from the first byte of the TLS handshake on.
  const auto now = Steady::now();
  if (connection.exchange.isIdle() && connection.answeredOnce) {
    connection.inHead = false;
    connection.expiresAt = now + shared_.options.idleTimeout;
  } else if (!connection.inHead) {
    connection.inHead = true;
    connection.expiresAt = now + shared_.options.headTimeout;
  }
}

void ConnectionLoop::remove(Connection& connection) {
  const auto found = connections_.find(connection.id);
  if (found == connections_.end()) return;
  loop_.unwatch(connection.exchange.stream().descriptor());
  // Whoever called this holds the connection, so that it is closed a moment later.
  connections_.erase(found);
  const MutexLock lock(shared_.mutex);
  --shared_.connections;
  shared_.changed.notify_all();
}

void ConnectionLoop::expire() {
  const auto now = Steady::now();
  std::vector<ConnectionPtr> late;
  for (const auto& [id, connection] : connections_) {
    if (connection->holder == Connection::Holder::Loop && connection->expiresAt <= now) {
      late.push_back(connection);
    }
  }
  for (const ConnectionPtr& connection : late) {
    if (connection->exchange.isIdle()) {
      remove(*connection);
    } else {
      connection->exchange.giveUpHead();
      runFiber(connection, Next::Refuse);
    }
  }
}

void ConnectionLoop::tick() {
  expire();
  resumeEntrances();
  limitLogged_ = false;
}

}  // namespace stratos::server
