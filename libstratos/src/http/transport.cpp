#include "stratos/http/transport.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <poll.h>

#include "http/connection.hpp"
#include "http/proxy_settings.hpp"
#include "http/syntax.hpp"
#include "stratos/base/annotations.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"
#include "stratos/base/ip_network.hpp"
#include "stratos/base/waiting.hpp"
#include "stratos/http/parser.hpp"

namespace stratos::http {

std::strong_ordering operator<=>(const ClientIdentity& a, const ClientIdentity& b) noexcept {
  if (const auto order = a.certificatePem <=> b.certificatePem; order != 0) return order;
  return a.keyPem.reveal() <=> b.keyPem.reveal();
}

namespace {

using detail::Connection;
using detail::Failure;
using Steady = std::chrono::steady_clock;

constexpr std::size_t kReadBytes = 16 * 1024;
// A body up to this size goes out in one piece with the head.
constexpr std::size_t kJoinBytes = 16 * 1024;
constexpr int kInterimLimit = 32;
// What the head of a request with a token usually needs.
constexpr std::size_t kHeadBytes = 2'000;

using ReadBuffer = std::array<char, kReadBytes>;

/// What is read is parsed before anybody else runs on this thread.
ReadBuffer& readBuffer() {
  static thread_local ReadBuffer buffer;
  return buffer;
}

/// What connections must have in common to serve the same call.
struct PoolKey {
  std::string_view host;
  std::uint16_t port = 0;
  bool secure = false;
  bool proxied = false;
  /// Only what tells connections apart: of a plain one no certificates.
  const TrustPolicy* trust = nullptr;
};

/// Connections to one origin. Lives as long as the pool or one of its connections.
struct Origin {
  explicit Origin(const PoolKey& key)
      : host(key.host), port(key.port), secure(key.secure), proxied(key.proxied) {
    if (secure) trust = *key.trust;
    // A connection that was not judged serves nobody who is to be judged.
    trust.anyAddress = key.trust->anyAddress;
  }

  struct Idle {
    std::unique_ptr<Connection> connection;
    Steady::time_point since;
    const void* loop = nullptr;
  };

  const std::string host;
  const std::uint16_t port;
  const bool secure;
  const bool proxied;
  TrustPolicy trust;
  const std::shared_ptr<detail::TlsSessions> sessions = std::make_shared<detail::TlsSessions>();
  // Guarded by the pool.
  std::vector<Idle> idle;  ///< Youngest last.
  Steady::time_point lastUsed;
  bool listed = false;  ///< The pool knows it.
};

struct OriginOrder {
  using is_transparent = void;

  static auto fieldsOf(const PoolKey& key) noexcept {
    return std::tuple(key.host, key.port, key.secure, key.proxied, key.trust->anyAddress);
  }
  static auto fieldsOf(const std::shared_ptr<Origin>& origin) noexcept {
    return std::tuple(std::string_view{origin->host}, origin->port, origin->secure,
                      origin->proxied, origin->trust.anyAddress);
  }
  static const TrustPolicy& trustOf(const PoolKey& key) noexcept { return *key.trust; }
  static const TrustPolicy& trustOf(const std::shared_ptr<Origin>& origin) noexcept {
    return origin->trust;
  }

  template <class A, class B>
  bool operator()(const A& a, const B& b) const noexcept {
    const auto x = fieldsOf(a);
    const auto y = fieldsOf(b);
    if (x != y) return x < y;
    const bool secure = std::get<2>(x);
    return secure && trustOf(a) < trustOf(b);
  }
};

/// The event loop of the calling flow; null on a plain thread.
const void* currentLoop() noexcept {
  const Waiter* const waiter = Waiter::current();
  return waiter != nullptr ? waiter->loop() : nullptr;
}

/// Idle connections by origin. A connection stays with the event loop that watches it. Thread
/// safety: safe from any thread.
class Pool {
 public:
  Pool(std::size_t maxPerOrigin, std::chrono::seconds lifetime)
      : maxPerOrigin_(maxPerOrigin), lifetime_(lifetime) {}

  /// Null when there has been no connection to it lately.
  std::shared_ptr<Origin> find(const PoolKey& key) {
    const MutexLock lock(mutex_);
    const auto found = origins_.find(key);
    if (found == origins_.end()) return nullptr;
    (*found)->lastUsed = Steady::now();
    return *found;
  }

  /// Keeps it; or gives what somebody else has come up with meanwhile.
  std::shared_ptr<Origin> add(const std::shared_ptr<Origin>& origin) {
    std::vector<Origin::Idle> closing;
    const MutexLock lock(mutex_);
    return list(origin, Steady::now(), closing);
  }

  /// A connection that is still usable as far as one can see; null when there is none. `forOnce`:
  /// what is sent on it must not be sent a second time.
  std::unique_ptr<Connection> take(Origin& origin, bool forOnce) {
    const void* const loop = currentLoop();
    for (;;) {
      Origin::Idle idle;
      {
        const MutexLock lock(mutex_);
        const auto found = std::find_if(origin.idle.rbegin(), origin.idle.rend(),
                                        [&](const Origin::Idle& one) { return one.loop == loop; });
        if (found == origin.idle.rend()) return nullptr;
        idle = std::move(*found);
        origin.idle.erase(std::next(found).base());
      }
      if (Steady::now() - idle.since < lifetime_ && idle.connection->isQuiet(forOnce)) {
        return std::move(idle.connection);
      }
    }
  }

  void put(const std::shared_ptr<Origin>& origin, std::unique_ptr<Connection> connection) {
    // Closed after the lock is released.
    std::vector<Origin::Idle> closing;
    const auto now = Steady::now();
    const MutexLock lock(mutex_);
    std::vector<Origin::Idle>& idle = list(origin, now, closing)->idle;
    idle.push_back({std::move(connection), now, currentLoop()});
    if (idle.size() > maxPerOrigin_) {
      closing.push_back(std::move(idle.front()));
      idle.erase(idle.begin());
    }
  }

  std::size_t size() const {
    const MutexLock lock(mutex_);
    std::size_t count = 0;
    for (const auto& origin : origins_) count += origin->idle.size();
    return count;
  }

  void clear() {
    std::vector<Origin::Idle> closing;
    const MutexLock lock(mutex_);
    for (const auto& origin : origins_) {
      std::move(origin->idle.begin(), origin->idle.end(), std::back_inserter(closing));
      origin->idle.clear();
    }
  }

 private:
  /// It may be new, or have been dropped while it was in use; another may be in its place then.
  std::shared_ptr<Origin> list(const std::shared_ptr<Origin>& origin, Steady::time_point now,
                               std::vector<Origin::Idle>& closing) STRATOS_REQUIRES(mutex_) {
    if (now - lastSweep_ > lifetime_ / 2) {
      lastSweep_ = now;
      sweep(now, closing);
    }
    if (origin->listed) return origin;
    const std::shared_ptr<Origin>& home = *origins_.insert(origin).first;
    home->listed = true;
    home->lastUsed = now;
    return home;
  }

  void sweep(Steady::time_point now, std::vector<Origin::Idle>& closing) STRATOS_REQUIRES(mutex_) {
    for (auto it = origins_.begin(); it != origins_.end();) {
      auto& list = (*it)->idle;
      const auto fresh = std::find_if(list.begin(), list.end(), [&](const Origin::Idle& idle) {
        return now - idle.since < lifetime_;
      });
      std::move(list.begin(), fresh, std::back_inserter(closing));
      list.erase(list.begin(), fresh);
      (*it)->listed = !list.empty() || now - (*it)->lastUsed < lifetime_;
      it = (*it)->listed ? std::next(it) : origins_.erase(it);
    }
  }

  const std::size_t maxPerOrigin_;
  const std::chrono::seconds lifetime_;
  mutable Mutex mutex_;
  std::set<std::shared_ptr<Origin>, OriginOrder> origins_ STRATOS_GUARDED_BY(mutex_);
  Steady::time_point lastSweep_ STRATOS_GUARDED_BY(mutex_) = Steady::now();
};

/// One request and its answer on one connection.
class Exchange {
 public:
  Exchange(std::unique_ptr<Connection> connection, std::weak_ptr<Pool> pool,
           std::shared_ptr<Origin> origin, std::chrono::milliseconds idleTimeout, Deadline deadline)
      : connection_(std::move(connection)),
        pool_(std::move(pool)),
        origin_(std::move(origin)),
        idleTimeout_(idleTimeout),
        deadline_(deadline) {}

  MessageParser& parser() { return parser_; }
  bool nothingSent() const { return !sent_; }
  bool nothingReceived() const { return !received_; }
  const Failure& failure() const { return failure_; }

  /// Sends the request and reads the head of the final answer. What the body's source throws
  /// passes through.
  bool run(const std::string& method, const std::string& head, Body& body) {
    parser_.setNoBodyExpected(method == "HEAD");
    send(head, body);
    // A peer that closes while it is being sent to may have said why.
    const bool sendingFailed = failure_.kind != TransportFailure::None;
    if (failure_.kind == TransportFailure::TimedOut ||
        failure_.kind == TransportFailure::Cancelled) {
      return false;
    }
    const Failure sendFailure = std::exchange(failure_, {});
    if (sentAll_ && !received_) connection_->expectLateAnswer();
    while (!parser_.headComplete()) {
      if (!receive()) {
        if (sendingFailed) failure_ = sendFailure;
        return false;
      }
    }
    if (parser_.status() == 101) return fail("the peer switched protocols unasked");
    finishIfComplete();
    return true;
  }

  /// Reads more; false: see failure(). The end of the connection in the right place is no failure.
  bool receive() {
    ReadBuffer& buffer = readBuffer();
    std::size_t count = 0;
    switch (connection_->read(buffer.data(), buffer.size(), count, ioDeadline())) {
      case Connection::Status::Done:
        return feed({buffer.data(), count});
      case Connection::Status::End:
        parser_.feedEnd();
        closed_ = true;
        return parser_.messageComplete() || fail("the peer closed the connection too early");
      case Connection::Status::WouldBlock:
      case Connection::Status::Failed:
        break;
    }
    failure_ = connection_->failure();
    return false;
  }

  /// Gives the connection back or closes it, once the answer is complete.
  void finishIfComplete() {
    if (!parser_.messageComplete() || !connection_) return;
    std::unique_ptr<Connection> connection = std::move(connection_);
    if (!sentAll_ || surplus_ || closed_ || !parser_.keepAlive()) return;
    if (const auto pool = pool_.lock()) pool->put(origin_, std::move(connection));
  }

 private:
  Deadline ioDeadline() const { return earliest(deadline_, Deadline::afterOrNever(idleTimeout_)); }

  bool fail(std::string detail) {
    failure_ = {TransportFailure::Broken, std::move(detail)};
    return false;
  }

  bool feed(std::string_view data) {
    received_ = true;
    while (!data.empty()) {
      data.remove_prefix(parser_.feed(data));
      if (parser_.failure() != ParseFailure::None) {
        return fail("the peer's answer is not valid HTTP: " + parser_.failureReason());
      }
      if (!parser_.messageComplete()) break;
      const int status = parser_.status();
      if (status >= 200 || status == 101) {
        surplus_ = surplus_ || !data.empty();
        break;
      }
      if (++interim_ > kInterimLimit) return fail("the peer sent too many interim answers");
      parser_.next();
    }
    return true;
  }

  // Stops early without a failure when the final answer is there before all is sent.
  void send(const std::string& head, Body& body) {
    const bool chunked = !body.length();
    std::uint64_t left = body.length().value_or(0);
    if (!body.isStream() && left > 0 && left <= kJoinBytes) {
      sentAll_ = write(head + body.bytes());
      return;
    }
    if (!write(head)) return;
    if (!body.isStream()) {
      sentAll_ = write(body.bytes());
      return;
    }
    std::array<char, kReadBytes> buffer;
    std::string data;
    while (const std::size_t count = body.read(buffer.data(), buffer.size())) {
      const std::string_view piece{buffer.data(), count};
      if (chunked) {
        std::array<char, 24> size{};
        const int digits = std::snprintf(size.data(), size.size(), "%zx\r\n", count);
        data.assign(size.data(), static_cast<std::size_t>(digits)).append(piece).append("\r\n");
        if (!write(data)) return;
      } else {
        if (count > left) {
          throw Error(ErrorCode::InvalidArgument, "the request body is longer than announced");
        }
        left -= count;
        if (!write(piece)) return;
      }
    }
    if (left > 0) {
      throw Error(ErrorCode::InvalidArgument, "the request body is shorter than announced");
    }
    sentAll_ = !chunked || write("0\r\n\r\n");
  }

  bool write(std::string_view data) {
    while (!data.empty()) {
      std::size_t count = 0;
      const Connection::Status status = connection_->tryWrite(data, count);
      if (status == Connection::Status::Done) {
        sent_ = true;
        data.remove_prefix(count);
        continue;
      }
      if (status != Connection::Status::WouldBlock) {
        failure_ = connection_->failure();
        return false;
      }
      const short wanted = connection_->wantedEvents();
      const short events = connection_->wait(static_cast<short>(wanted | POLLIN), ioDeadline(),
                                             "sending the request");
      if (events == 0) {
        failure_ = connection_->failure();
        return false;
      }
      // A peer that answers instead of reading on has decided; waiting for it would be a deadlock.
      if ((events & wanted) == 0) {
        if (!receiveDuringSend() || parser_.headComplete()) return false;
      }
    }
    return true;
  }

  bool receiveDuringSend() {
    ReadBuffer& buffer = readBuffer();
    std::size_t count = 0;
    switch (connection_->tryRead(buffer.data(), buffer.size(), count)) {
      case Connection::Status::Done:
        return feed({buffer.data(), count});
      case Connection::Status::WouldBlock:
        return true;
      case Connection::Status::End:
        return fail("the peer closed the connection too early");
      case Connection::Status::Failed:
        break;
    }
    failure_ = connection_->failure();
    return false;
  }

  std::unique_ptr<Connection> connection_;
  std::weak_ptr<Pool> pool_;
  std::shared_ptr<Origin> origin_;
  std::chrono::milliseconds idleTimeout_;
  Deadline deadline_;
  MessageParser parser_{MessageParser::Kind::Response};
  Failure failure_;
  int interim_ = 0;
  bool sent_ = false;
  bool sentAll_ = false;
  bool received_ = false;
  bool surplus_ = false;
  bool closed_ = false;
};

class ResponseSource final : public BodySource {
 public:
  explicit ResponseSource(std::unique_ptr<Exchange> exchange) : exchange_(std::move(exchange)) {}

  std::size_t read(char* buffer, std::size_t capacity) override {
    if (capacity == 0) return 0;
    MessageParser& parser = exchange_->parser();
    while (position_ == pending_.size()) {
      pending_ = parser.takeBody();
      position_ = 0;
      if (!pending_.empty()) break;
      if (parser.messageComplete()) return 0;
      if (!exchange_->receive()) {
        const Failure& failure = exchange_->failure();
        throw Error(failure.kind == TransportFailure::TimedOut ? ErrorCode::DeadlineExceeded
                                                               : ErrorCode::Unavailable,
                    failure.detail);
      }
      // At once, not with the reader's last call: many readers stop at the announced length.
      exchange_->finishIfComplete();
    }
    const std::size_t count = std::min(capacity, pending_.size() - position_);
    std::memcpy(buffer, pending_.data() + position_, count);
    position_ += count;
    return count;
  }

 private:
  std::unique_ptr<Exchange> exchange_;
  std::string pending_;
  std::size_t position_ = 0;
};

// Fields that belong to one connection, or that the transport sets from the body.
bool isTransportField(std::string_view name) {
  constexpr std::array<std::string_view, 10> kFields = {
      "Host",       "Content-Length", "Transfer-Encoding", "Connection",
      "Keep-Alive", "Expect",         "Proxy-Connection",  "TE",
      "Trailer",    "Upgrade"};
  return std::any_of(kFields.begin(), kFields.end(),
                     [name](std::string_view field) { return equalsIgnoreCase(field, name); });
}

// RFC 9110 section 9.2.2.
bool isIdempotent(const std::string& method) {
  return method == "GET" || method == "HEAD" || method == "OPTIONS" || method == "TRACE" ||
         method == "PUT" || method == "DELETE";
}

bool hasExpectedBody(const std::string& method) {
  return method == "POST" || method == "PUT" || method == "PATCH";
}

ClientResponse failed(Failure failure) {
  ClientResponse response;
  response.failure = failure.kind;
  response.detail = std::move(failure.detail);
  return response;
}

std::string bracketed(const std::string& host) {
  return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

}  // namespace

class PooledTransport::Impl {
 public:
  explicit Impl(PooledTransportOptions options)
      : options_(std::move(options)),
        proxies_(options_.httpProxy, options_.httpsProxy, options_.noProxy),
        pool_(std::make_shared<Pool>(options_.maxIdlePerOrigin, options_.idleLifetime)) {}

  ClientResponse exchange(ClientRequest& request) {
    const detail::ForwardProxy* proxy = proxies_.find(request.url);
    const bool inflate = request.method != "HEAD" && !request.headers.has("Accept-Encoding") &&
                         !request.headers.has("Range");
    const std::string head = makeHead(request, proxy, inflate);
    const PoolKey key{request.url.host(), request.url.port(), request.url.isSecure(),
                      proxy != nullptr, &request.trust};
    std::shared_ptr<Origin> origin = pool_->find(key);

    const bool forOnce = request.body.isStream() || !isIdempotent(request.method);
    for (bool fresh = origin == nullptr;;) {
      std::unique_ptr<Connection> connection = fresh ? nullptr : pool_->take(*origin, forOnce);
      const bool reused = connection != nullptr;
      if (!connection) {
        if (!origin) origin = std::make_shared<Origin>(key);
        connection = std::make_unique<Connection>();
        Failure failure = connect(*connection, request, proxy, origin->sessions);
        if (failure.kind != TransportFailure::None) return failed(std::move(failure));
        origin = pool_->add(origin);
      }
      auto exchange = std::make_unique<Exchange>(std::move(connection), pool_, origin,
                                                 options_.idleTimeout, request.deadline);
      if (exchange->run(request.method, head, request.body)) {
        return makeResponse(std::move(exchange), inflate);
      }
      // The peer may close an idle connection just when it is used again. Without any byte of an
      // answer that is what happened, but only an idempotent request, or one of which nothing was
      // sent, is safe to repeat (RFC 9110 section 9.2.2).
      const bool repeatable =
          !request.body.isStream() && (isIdempotent(request.method) || exchange->nothingSent());
      if (!reused || exchange->failure().kind != TransportFailure::Broken ||
          !exchange->nothingReceived() || !repeatable) {
        return failed(exchange->failure());
      }
      fresh = true;
    }
  }

  std::size_t idleConnections() const { return pool_->size(); }
  void clear() { pool_->clear(); }

 private:
  static std::string makeHead(const ClientRequest& request, const detail::ForwardProxy* proxy,
                              bool acceptGzip) {
    if (!detail::isToken(request.method) || request.method == "CONNECT") {
      throw Error(ErrorCode::InvalidArgument, "the request method cannot be sent");
    }
    const bool absolute = proxy != nullptr && !request.url.isSecure();
    const std::string authority = request.url.authority();
    std::string head;
    head.reserve(kHeadBytes);
    head.append(request.method).append(" ");
    if (absolute) head.append("http://").append(authority);
    head.append(request.url.requestTarget()).append(" HTTP/1.1\r\nHost: ").append(authority);
    head.append("\r\n");
    if (absolute && !proxy->authorization.empty()) {
      head.append("Proxy-Authorization: ").append(proxy->authorization).append("\r\n");
    }
    for (const auto& [name, value] : request.headers) {
      if (!isTransportField(name)) head.append(name).append(": ").append(value).append("\r\n");
    }
    if (acceptGzip) head.append("Accept-Encoding: gzip\r\n");
    const auto length = request.body.length();
    if (!length) {
      head.append("Transfer-Encoding: chunked\r\n");
    } else if (*length > 0 || hasExpectedBody(request.method)) {
      head.append("Content-Length: ").append(std::to_string(*length)).append("\r\n");
    }
    return head.append("\r\n");
  }

  Failure connect(Connection& connection, const ClientRequest& request,
                  const detail::ForwardProxy* proxy,
                  const std::shared_ptr<detail::TlsSessions>& sessions) {
    const Url& url = request.url;
    const Deadline deadline =
        earliest(request.deadline, Deadline::afterOrNever(options_.connectTimeout));
    // Before any packet is sent: a broken certificate text is the caller's mistake.
    Poco::Net::Context::Ptr context;
    if (url.isSecure()) context = contexts_.get(request.trust);
    const AddressPolicy* policy = request.trust.anyAddress ? nullptr : &options_.addresses;
    if (proxy != nullptr) {
      if (Failure failure = judgeLiteral(policy, url.host());
          failure.kind != TransportFailure::None) {
        return failure;
      }
      if (!connection.open(proxy->host, proxy->port, deadline)) return connection.failure();
    } else if (!connection.open(url.host(), url.port(), deadline, policy)) {
      return connection.failure();
    }
    if (!url.isSecure()) return {};
    if (proxy != nullptr) {
      Failure failure = openTunnel(connection, url, *proxy, deadline);
      if (failure.kind != TransportFailure::None) return failure;
    }
    return connection.startTls(context, url.host(), deadline, sessions) ? Failure{}
                                                                        : connection.failure();
  }

  // A target that stands as an address, in any of the forms that resolvers take (inet_aton(3)).
  static Failure judgeLiteral(const AddressPolicy* policy, std::string host) {
    if (policy == nullptr) return {};
    while (host.ends_with('.')) host.pop_back();
    std::string address = host;
    if (in_addr legacy{}; ::inet_aton(host.c_str(), &legacy) == 1) {
      std::array<char, INET_ADDRSTRLEN> text{};
      ::inet_ntop(AF_INET, &legacy, text.data(), text.size());
      address = text.data();
    }
    if (!isIpAddress(address)) return {};
    const auto refusal = policy->refusal(address);
    if (!refusal) return {};
    return {TransportFailure::Forbidden, AddressPolicy::describe(host, address, *refusal)};
  }

  // RFC 9110 section 9.3.6.
  static Failure openTunnel(Connection& connection, const Url& url,
                            const detail::ForwardProxy& proxy, Deadline deadline) {
    const std::string target = bracketed(url.host()) + ":" + std::to_string(url.port());
    std::string head = "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n";
    if (!proxy.authorization.empty()) {
      head += "Proxy-Authorization: " + proxy.authorization + "\r\n";
    }
    head += "\r\n";
    if (connection.write(head, deadline) != Connection::Status::Done) return connection.failure();
    MessageParser parser(MessageParser::Kind::Response);
    parser.setNoBodyExpected(true);
    std::array<char, 4096> buffer{};
    int interim = 0;
    while (!parser.headComplete()) {
      std::size_t count = 0;
      const auto status = connection.read(buffer.data(), buffer.size(), count, deadline);
      if (status == Connection::Status::End) {
        return {TransportFailure::Broken, "the forward proxy closed the connection"};
      }
      if (status != Connection::Status::Done) return connection.failure();
      std::string_view data{buffer.data(), count};
      while (!data.empty()) {
        data.remove_prefix(parser.feed(data));
        if (parser.failure() != ParseFailure::None) {
          return {TransportFailure::Broken, "the forward proxy does not speak HTTP"};
        }
        if (!parser.headComplete() || parser.status() >= 200) break;
        if (++interim > kInterimLimit) {
          return {TransportFailure::Broken, "the forward proxy sent too many interim answers"};
        }
        parser.next();
      }
      if (!data.empty()) {
        return {TransportFailure::Broken, "the forward proxy sent data ahead of the tunnel"};
      }
    }
    if (parser.status() / 100 != 2) {
      return {TransportFailure::Refused, "the forward proxy refused the tunnel with status " +
                                             std::to_string(parser.status())};
    }
    return {};
  }

  static ClientResponse makeResponse(std::unique_ptr<Exchange> exchange, bool inflate) {
    MessageParser& parser = exchange->parser();
    ClientResponse response;
    response.status = parser.status();
    response.reason = parser.reason();
    response.headers = std::move(parser.headers());
    response.headers.remove("Transfer-Encoding");
    const bool hasBody = parser.hasBody();
    if (!hasBody) return response;
    const auto length = parser.contentLength();
    if (parser.messageComplete()) {
      response.body = Body(parser.takeBody());
    } else {
      response.body = Body(std::make_unique<ResponseSource>(std::move(exchange)), length);
    }
    if (!inflate) return response;
    const std::string coding = toLower(trim(response.headers.get("Content-Encoding")));
    const bool gzip = coding == "gzip" || coding == "x-gzip";
    if (gzip || coding == "deflate") {
      response.body = Body(makeInflatingSource(std::move(response.body), gzip));
      response.headers.remove("Content-Encoding");
      response.headers.remove("Content-Length");
    }
    return response;
  }

  const PooledTransportOptions options_;
  const detail::ProxySettings proxies_;
  detail::TlsContexts contexts_;
  const std::shared_ptr<Pool> pool_;
};

PooledTransport::PooledTransport(PooledTransportOptions options)
    : impl_(std::make_unique<Impl>(std::move(options))) {}

PooledTransport::~PooledTransport() = default;

ClientResponse PooledTransport::exchange(ClientRequest& request) {
  return impl_->exchange(request);
}

std::size_t PooledTransport::idleConnections() const { return impl_->idleConnections(); }

void PooledTransport::clear() { impl_->clear(); }

}  // namespace stratos::http
