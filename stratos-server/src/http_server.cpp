#include "http_server.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <Poco/Exception.h>
#include <Poco/Net/ServerSocket.h>

#include "stratos/base/annotations.hpp"
#include "stratos/base/error.hpp"
#include "stratos/base/worker_pool.hpp"

namespace stratos::server {
namespace {

using Steady = std::chrono::steady_clock;

constexpr int kBacklog = 512;
constexpr std::uint64_t kWakeId = 0;
// Identities below this one are listeners; they are never used again, unlike descriptors.
constexpr std::uint64_t kFirstConnectionId = 1'000;
constexpr std::chrono::milliseconds kCutGrace{2'000};
constexpr std::uint32_t kWhileWaiting = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT;
constexpr std::uint32_t kWhileAnswering = EPOLLRDHUP | EPOLLONESHOT;

class Descriptor {
 public:
  explicit Descriptor(int value, const char* what) : value_(value) {
    if (value_ < 0) {
      throw Error(ErrorCode::Internal, std::string(what) + ": " + std::strerror(errno));
    }
  }
  ~Descriptor() { ::close(value_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const noexcept { return value_; }

 private:
  int value_;
};

// A client that has gone must be an error of the write, not a signal to the process.
void blockSigpipe() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

std::string addressOf(const Poco::Net::SocketAddress& address) {
  std::string text = address.host().toString();
  // A listener for both families sees IPv4 clients as mapped addresses (RFC 4291 section 2.5.5.2).
  constexpr std::string_view kMapped = "::ffff:";
  if (text.starts_with(kMapped) && text.find('.') != std::string::npos) {
    text.erase(0, kMapped.size());
  }
  return text;
}

constexpr std::string_view kTooMany =
    "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n"
    "Connection: close\r\n\r\n";

}  // namespace

ListenAddress ListenAddress::parse(const std::string& text, const std::string& setting) {
  const std::size_t colon = text.rfind(':');
  const auto refuse = [&] {
    return Error(ErrorCode::InvalidArgument,
                 setting + " is \"" + text + "\", but must be host:port or :port");
  };
  if (colon == std::string::npos) throw refuse();
  ListenAddress address;
  address.host = text.substr(0, colon);
  if (address.host.starts_with('[') && address.host.ends_with(']')) {
    address.host = address.host.substr(1, address.host.size() - 2);
  } else if (address.host.find(':') != std::string::npos) {
    throw refuse();
  }
  const char* const first = text.data() + colon + 1;
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(first, last, address.port);
  if (error != std::errc{} || end != last) throw refuse();
  return address;
}

std::string ListenAddress::str() const {
  const bool bare = host.find(':') != std::string::npos;
  return (bare ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

class HttpServer::Impl {
 public:
  Impl(http::Handler& handler, LogSink& log, HttpServerOptions options)
      : handler_(handler),
        log_(log),
        options_(options),
        epoll_(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1"),
        wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd"),
        scanInterval_(std::clamp(std::min(options.headTimeout, options.idleTimeout) / 4,
                                 std::chrono::milliseconds{5}, std::chrono::milliseconds{500})),
        workers_(std::make_unique<WorkerPool>(options.workers, options.maxConnections)) {
    watch(EPOLL_CTL_ADD, wake_.get(), EPOLLIN, kWakeId);
  }

  ~Impl() {
    static_cast<void>(stop(std::chrono::milliseconds{0}));
    {
      const MutexLock lock(mutex_);
      loopMustEnd_ = true;
    }
    wake();
    if (loop_.joinable()) loop_.join();
    workers_.reset();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  std::uint16_t listen(const ListenAddress& address, const Poco::Net::Context::Ptr& tls) {
    auto listener = std::make_unique<Listener>();
    listener->tls = tls;
    try {
      bind(listener->socket, address);
      listener->socket.listen(kBacklog);
      listener->socket.setBlocking(false);
      listener->port = listener->socket.address().port();
    } catch (const Poco::Exception& e) {
      throw Error(ErrorCode::Unavailable,
                  "Cannot listen on " + address.str() + ": " + e.displayText());
    }
    listeners_.push_back(std::move(listener));
    return listeners_.back()->port;
  }

  std::uint16_t port(std::size_t index) const { return listeners_.at(index)->port; }

  void start() {
    for (std::size_t i = 0; i < listeners_.size(); ++i) {
      watch(EPOLL_CTL_ADD, listeners_[i]->socket.impl()->sockfd(), EPOLLIN, i + 1);
    }
    loop_ = std::thread([this] { run(); });
  }

  bool stop(std::chrono::milliseconds drain) {
    std::vector<std::shared_ptr<Connection>> cut;
    {
      MutexLock lock(mutex_);
      stopping_ = true;
      if (!loop_.joinable()) return true;
      wake();
      if (waitUntilEmpty(drain)) return true;
      for (const auto& [id, connection] : connections_) {
        connection->exchange.stream().shutDown();
        cut.push_back(connection);
      }
    }
    // Outside the lock: this runs what handlers have registered.
    for (const auto& connection : cut) connection->exchange.cancel();
    cut.clear();
    const MutexLock lock(mutex_);
    static_cast<void>(waitUntilEmpty(kCutGrace));
    return false;
  }

  std::size_t connections() const {
    const MutexLock lock(mutex_);
    return connections_.size();
  }
  std::size_t activeRequests() const {
    const MutexLock lock(mutex_);
    return static_cast<std::size_t>(
        std::count_if(connections_.begin(), connections_.end(),
                      [](const auto& entry) { return entry.second->answering; }));
  }

 private:
  struct Listener {
    Poco::Net::ServerSocket socket;
    Poco::Net::Context::Ptr tls;
    std::uint16_t port = 0;
    bool paused = false;
  };

  struct Connection {
    Connection(std::uint64_t number, ClientStream stream, std::string peer,
               const HttpServerOptions& options)
        : id(number),
          exchange(std::move(stream), std::move(peer), options.parser, options.exchange) {}

    const std::uint64_t id;
    HttpExchange exchange;  // Belongs to the worker while `taken`, else to the loop.
    // The rest under Impl::mutex_.
    bool taken = false;
    bool answering = false;
    bool answeredOnce = false;
    bool inHead = false;  // `expiresAt` is the deadline of the current head.
    Steady::time_point expiresAt{};
  };
  using ConnectionPtr = std::shared_ptr<Connection>;

  static void bind(Poco::Net::ServerSocket& socket, const ListenAddress& address) {
    if (!address.host.empty()) {
      // Never SO_REUSEPORT, which the shorter overloads set: two servers would share the port.
      socket.bind(Poco::Net::SocketAddress(address.host, address.port), true, false);
      return;
    }
    try {
      socket.bind6(address.port, true, false, false);
    } catch (const Poco::Exception&) {
      // A kernel without IPv6; a port that is taken fails here again.
      socket = Poco::Net::ServerSocket();
      socket.bind(address.port, true, false);
    }
  }

  bool waitUntilEmpty(std::chrono::milliseconds wait) STRATOS_REQUIRES(mutex_) {
    const auto until = Steady::now() + wait;
    while (!(listenersClosed_ && connections_.empty())) {
      if (changed_.wait_until(mutex_, until) == std::cv_status::timeout) {
        return listenersClosed_ && connections_.empty();
      }
    }
    return true;
  }

  void watch(int operation, int descriptor, std::uint32_t events, std::uint64_t id) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = id;
    if (::epoll_ctl(epoll_.get(), operation, descriptor, &event) != 0) {
      throw Error(ErrorCode::Internal, std::string("epoll_ctl: ") + std::strerror(errno));
    }
  }

  void wake() noexcept {
    const std::uint64_t one = 1;
    static_cast<void>(!::write(wake_.get(), &one, sizeof one));
  }

  void run() noexcept {
    blockSigpipe();
    std::array<epoll_event, 128> events;
    auto nextScan = Steady::now() + scanInterval_;
    for (;;) {
      const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                                     static_cast<int>(scanInterval_.count()));
      for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        if (event.data.u64 == kWakeId) {
          std::uint64_t ignored = 0;
          static_cast<void>(!::read(wake_.get(), &ignored, sizeof ignored));
        } else if (event.data.u64 < kFirstConnectionId) {
          accept(event.data.u64 - 1);
        } else {
          onEvent(event.data.u64, event.events);
        }
      }
      if (Steady::now() >= nextScan) {
        expire();
        resumeListeners();
        limitLogged_ = false;
        nextScan = Steady::now() + scanInterval_;
      }
      const MutexLock lock(mutex_);
      if (loopMustEnd_) return;
      if (stopping_ && !listenersClosed_) closeEntrance();
    }
  }

  void closeEntrance() STRATOS_REQUIRES(mutex_) {
    for (const auto& listener : listeners_) listener->socket.close();
    listenersClosed_ = true;
    std::erase_if(connections_, [](const auto& entry) { return !entry.second->taken; });
    changed_.notify_all();
  }

  void accept(std::size_t index) noexcept {
    {
      const MutexLock lock(mutex_);
      if (listenersClosed_) return;
    }
    Listener& listener = *listeners_[index];
    try {
      Poco::Net::SocketAddress peer;
      Poco::Net::StreamSocket socket = listener.socket.acceptConnection(peer);
      ClientStream stream(std::move(socket), listener.tls);
      admit(std::move(stream), addressOf(peer));
    } catch (const Poco::Exception& e) {
      if (e.code() == EMFILE || e.code() == ENFILE || e.code() == ENOMEM) {
        log(log_, LogLevel::Error, "cannot accept connections for now",
            {{"error", e.displayText()}});
        pause(index);
      }
    } catch (const Error& e) {
      log(log_, LogLevel::Error, "cannot accept a connection", {{"error", e.what()}});
    }
  }

  void admit(ClientStream stream, std::string peer) {
    if (connections() >= options_.maxConnections) {
      turnAway(stream);
      return;
    }
    const MutexLock lock(mutex_);
    const std::uint64_t id = nextId_++;
    auto connection =
        std::make_shared<Connection>(id, std::move(stream), std::move(peer), options_);
    connection->expiresAt = Steady::now() + options_.idleTimeout;
    const int descriptor = connection->exchange.stream().descriptor();
    connections_.emplace(id, std::move(connection));
    watch(EPOLL_CTL_ADD, descriptor, kWhileWaiting, id);
  }

  void turnAway(ClientStream& stream) {
    if (!std::exchange(limitLogged_, true)) {
      log(log_, LogLevel::Warning, "refusing connections: there are too many",
          {{"limit", options_.maxConnections}});
    }
    // A TLS handshake for each of them would do the attacker's work.
    if (stream.isSecure()) return;
    try {
      stream.write(kTooMany, std::chrono::milliseconds{0});
    } catch (const Error&) {
      return;  // It did not wait for its answer.
    }
  }

  // Out of descriptors: without a pause the loop would spin on the listener.
  void pause(std::size_t index) noexcept {
    Listener& listener = *listeners_[index];
    listener.paused = true;
    watch(EPOLL_CTL_MOD, listener.socket.impl()->sockfd(), 0, index + 1);
  }

  void resumeListeners() {
    for (std::size_t i = 0; i < listeners_.size(); ++i) {
      if (!std::exchange(listeners_[i]->paused, false)) continue;
      const MutexLock lock(mutex_);
      if (listenersClosed_) return;
      watch(EPOLL_CTL_MOD, listeners_[i]->socket.impl()->sockfd(), EPOLLIN, i + 1);
    }
  }

  void onEvent(std::uint64_t id, std::uint32_t events) {
    ConnectionPtr connection;
    bool gone = false;
    {
      const MutexLock lock(mutex_);
      const auto found = connections_.find(id);
      if (found == connections_.end()) return;
      connection = found->second;
      gone = connection->taken;
      if (!connection->taken) {
        take(*connection);
        if (!connection->inHead) {
          connection->inHead = true;
          connection->expiresAt = Steady::now() + options_.headTimeout;
        }
      }
    }
    if (gone) {
      if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) connection->exchange.cancel();
    } else {
      submit(std::move(connection), &Impl::serve);
    }
  }

  // While a worker has it, only the end of the connection is of interest.
  void take(Connection& connection) STRATOS_REQUIRES(mutex_) {
    connection.taken = true;
    watch(EPOLL_CTL_MOD, connection.exchange.stream().descriptor(), kWhileAnswering, connection.id);
  }

  void submit(ConnectionPtr connection, void (Impl::*task)(Connection&)) {
    const bool queued = workers_->trySubmit([this, connection, task]() noexcept {
      blockSigpipe();
      try {
        (this->*task)(*connection);
      } catch (const std::exception& e) {
        // What clients do to their connections is ordinary traffic.
        log(log_, LogLevel::Debug, "a connection ended", {{"reason", e.what()}});
        remove(*connection);
      }
    });
    if (!queued) remove(*connection);
  }

  void serve(Connection& connection) {
    HttpExchange& exchange = connection.exchange;
    for (;;) {
      switch (exchange.readHead()) {
        case HttpExchange::HeadState::NeedMore:
          giveBack(connection);
          return;
        case HttpExchange::HeadState::Ended:
          remove(connection);
          return;
        case HttpExchange::HeadState::Refused:
          log(log_, LogLevel::Info, "a request was refused",
              {{"status", exchange.refusalStatus()}, {"reason", exchange.refusalReason()}});
          exchange.refuse(exchange.refusalStatus());
          remove(connection);
          return;
        case HttpExchange::HeadState::Ready:
          break;
      }
      beginAnswer(connection);
      const bool keep = exchange.answer(handler_, log_, stopping_);
      endAnswer(connection);
      if (!keep) {
        remove(connection);
        return;
      }
      if (!exchange.hasInput()) {
        giveBack(connection);
        return;
      }
    }
  }

  void refuseSlowHead(Connection& connection) {
    connection.exchange.refuse(408);
    remove(connection);
  }

  void beginAnswer(Connection& connection) {
    const MutexLock lock(mutex_);
    connection.answering = true;
  }

  void endAnswer(Connection& connection) {
    const MutexLock lock(mutex_);
    connection.answering = false;
    connection.answeredOnce = true;
    connection.inHead = false;
  }

  void giveBack(Connection& connection) {
    const MutexLock lock(mutex_);
    if (stopping_) {
      connections_.erase(connection.id);
      changed_.notify_all();
      return;
    }
    // A first request has its deadline from the first byte of the TLS handshake on.
    const auto now = Steady::now();
    if (connection.exchange.isIdle() && connection.answeredOnce) {
      connection.inHead = false;
      connection.expiresAt = now + options_.idleTimeout;
    } else if (!connection.inHead) {
      connection.inHead = true;
      connection.expiresAt = now + options_.headTimeout;
    }
    connection.taken = false;
    const std::uint32_t writing =
        connection.exchange.stream().wantsToWrite() ? std::uint32_t{EPOLLOUT} : 0U;
    watch(EPOLL_CTL_MOD, connection.exchange.stream().descriptor(), kWhileWaiting | writing,
          connection.id);
  }

  void remove(Connection& connection) noexcept {
    const MutexLock lock(mutex_);
    connections_.erase(connection.id);
    changed_.notify_all();
  }

  void expire() {
    std::vector<ConnectionPtr> slow;
    {
      const MutexLock lock(mutex_);
      const auto now = Steady::now();
      for (auto it = connections_.begin(); it != connections_.end();) {
        Connection& connection = *it->second;
        if (connection.taken || connection.expiresAt > now) {
          ++it;
        } else if (connection.exchange.isIdle()) {
          it = connections_.erase(it);
        } else {
          take(connection);
          slow.push_back(it->second);
          ++it;
        }
      }
      changed_.notify_all();
    }
    for (ConnectionPtr& connection : slow) submit(std::move(connection), &Impl::refuseSlowHead);
  }

  http::Handler& handler_;
  LogSink& log_;
  const HttpServerOptions options_;
  const Descriptor epoll_;
  const Descriptor wake_;
  const std::chrono::milliseconds scanInterval_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  bool limitLogged_ = false;  // Of the loop.

  mutable Mutex mutex_;
  std::condition_variable_any changed_;
  std::unordered_map<std::uint64_t, ConnectionPtr> connections_ STRATOS_GUARDED_BY(mutex_);
  std::uint64_t nextId_ STRATOS_GUARDED_BY(mutex_) = kFirstConnectionId;
  std::atomic<bool> stopping_ = false;  // Written under the mutex.
  bool listenersClosed_ STRATOS_GUARDED_BY(mutex_) = false;
  bool loopMustEnd_ STRATOS_GUARDED_BY(mutex_) = false;

  std::unique_ptr<WorkerPool> workers_;
  std::thread loop_;
};

HttpServer::HttpServer(http::Handler& handler, LogSink& log, HttpServerOptions options)
    : impl_(std::make_unique<Impl>(handler, log, options)) {}

HttpServer::~HttpServer() = default;

std::uint16_t HttpServer::listen(const ListenAddress& address, const Poco::Net::Context::Ptr& tls) {
  return impl_->listen(address, tls);
}

std::uint16_t HttpServer::port(std::size_t index) const { return impl_->port(index); }

void HttpServer::start() { impl_->start(); }

bool HttpServer::stop(std::chrono::milliseconds drain) { return impl_->stop(drain); }

std::size_t HttpServer::connections() const { return impl_->connections(); }

std::size_t HttpServer::activeRequests() const { return impl_->activeRequests(); }

}  // namespace stratos::server
