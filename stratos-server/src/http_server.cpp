#include "http_server.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <utility>
#include <vector>

#include <sched.h>

#include <Poco/Exception.h>
#include <Poco/Net/ServerSocket.h>

#include "connection_loop.hpp"
#include "stratos/base/annotations.hpp"
#include "stratos/base/error.hpp"
#include "stratos/base/waiting.hpp"

namespace stratos::server {
namespace {

constexpr int kBacklog = 512;
constexpr std::chrono::milliseconds kCutGrace{2'000};

void bindTo(Poco::Net::ServerSocket& socket, const ListenAddress& address) {
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

/// What a container may use can be less than what the machine has.
std::size_t usableCores() {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  if (::sched_getaffinity(0, sizeof cores, &cores) != 0) return 1;
  return static_cast<std::size_t>(CPU_COUNT(&cores));
}

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
      : shared_(handler, log, options) {
    constexpr std::size_t kMostLoops = 64;
    const std::size_t loops = options.eventLoops > 0 ? options.eventLoops : usableCores();
    for (std::size_t i = 0; i < std::clamp<std::size_t>(loops, 1, kMostLoops); ++i) {
      loops_.push_back(std::make_unique<ConnectionLoop>(shared_));
    }
  }

  ~Impl() {
    static_cast<void>(stop(std::chrono::milliseconds{0}));
    for (const auto& loop : loops_) loop->join();
    // What these do last is to tell a loop, whose memory must be there.
    shared_.workers.reset();
    shared_.blocking.reset();
    shared_.network.reset();
    loops_.clear();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  std::uint16_t listen(const ListenAddress& address, const Poco::Net::Context::Ptr& tls) {
    auto listener = std::make_unique<Listener>();
    listener->setTls(tls);
    try {
      bindTo(listener->socket, address);
      listener->socket.listen(kBacklog);
      listener->socket.setBlocking(false);
      listener->port = listener->socket.address().port();
    } catch (const Poco::Exception& e) {
      throw Error(ErrorCode::Unavailable,
                  "Cannot listen on " + address.str() + ": " + e.displayText());
    }
    shared_.listeners.push_back(std::move(listener));
    return shared_.listeners.back()->port;
  }

  std::uint16_t port(std::size_t index) const { return shared_.listeners.at(index)->port; }

  void replaceTls(std::size_t index, const Poco::Net::Context::Ptr& tls) {
    shared_.listeners.at(index)->setTls(tls);
  }

  void start() {
    for (const auto& loop : loops_) loop->start();
    started_ = true;
  }

  bool stop(std::chrono::milliseconds drain) {
    if (!started_) return true;
    shared_.stopping = true;
    // Who was let in through another loop's entrance counts as one who may still ask.
    for (const auto& loop : loops_) {
      Gate closed;
      loop->closeEntrance([&closed] { closed.open(); });
      static_cast<void>(closed.await(Deadline::never()));
    }
    for (const auto& listener : shared_.listeners) listener->socket.close();
    for (const auto& loop : loops_) loop->closeIdle();
    const bool drained = waitUntilEmpty(drain);
    // Without connections, too: calls go on that outlive their requests.
    for (const auto& loop : loops_) loop->cut();
    if (!drained) static_cast<void>(waitUntilEmpty(kCutGrace));
    return drained;
  }

  std::size_t connections() const { return shared_.connections; }
  std::size_t activeRequests() const { return shared_.answering; }

 private:
  bool waitUntilEmpty(std::chrono::milliseconds wait) {
    const auto until = std::chrono::steady_clock::now() + wait;
    const MutexLock lock(shared_.mutex);
    while (shared_.connections > 0) {
      if (shared_.changed.wait_until(shared_.mutex, until) == std::cv_status::timeout) {
        return shared_.connections == 0;
      }
    }
    return true;
  }

  ServerShared shared_;
  std::vector<std::unique_ptr<ConnectionLoop>> loops_;
  bool started_ = false;
};

HttpServer::HttpServer(http::Handler& handler, LogSink& log, HttpServerOptions options)
    : impl_(std::make_unique<Impl>(handler, log, options)) {}

HttpServer::~HttpServer() = default;

std::uint16_t HttpServer::listen(const ListenAddress& address, const Poco::Net::Context::Ptr& tls) {
  return impl_->listen(address, tls);
}

std::uint16_t HttpServer::port(std::size_t index) const { return impl_->port(index); }

void HttpServer::replaceTls(std::size_t index, const Poco::Net::Context::Ptr& tls) {
  impl_->replaceTls(index, tls);
}

void HttpServer::start() { impl_->start(); }

bool HttpServer::stop(std::chrono::milliseconds drain) { return impl_->stop(drain); }

std::size_t HttpServer::connections() const { return impl_->connections(); }

std::size_t HttpServer::activeRequests() const { return impl_->activeRequests(); }

}  // namespace stratos::server
