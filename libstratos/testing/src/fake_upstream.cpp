#include "stratos/testing/fake_upstream.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <deque>
#include <map>
#include <thread>

#include "stratos/base/annotations.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"

namespace stratos::testing {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kHeadLimit = 64 * 1024;
constexpr std::size_t kBodyLimit = 512 * 1024 * 1024;

std::string_view reasonOf(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 409:
      return "Conflict";
    case 422:
      return "Unprocessable Entity";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    default:
      return "Status";
  }
}

bool isToken(std::string_view text) {
  static constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kMarks.find(c) != std::string_view::npos;
  });
}

std::string_view trimBlanks(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// What is wrong with a request; becomes the answer.
struct BadRequest {
  int status;
  std::string text;
};

/// The other side went away, or the server stops.
struct Gone {};

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) noexcept : fd_(fd) {}
  ~Descriptor() { reset(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const noexcept { return fd_; }
  void reset(int fd = -1) noexcept {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
  }

 private:
  int fd_;
};

/// Parses the head up to its empty line, which `head` includes.
ReceivedRequest parseHead(std::string_view head) {
  ReceivedRequest request;
  std::size_t at = 0;
  bool first = true;
  for (;;) {
    const auto end = head.find('\n', at);
    if (end == std::string_view::npos || end == at || head[end - 1] != '\r') {
      throw BadRequest{400, "line without CR LF"};
    }
    const std::string_view line = head.substr(at, end - 1 - at);
    at = end + 1;
    if (line.find('\r') != std::string_view::npos || line.find('\0') != std::string_view::npos) {
      throw BadRequest{400, "control character"};
    }
    if (first) {
      const auto space = line.find(' ');
      const auto last = line.rfind(' ');
      if (space == std::string_view::npos || space == last) throw BadRequest{400, "request line"};
      request.method = line.substr(0, space);
      request.target = line.substr(space + 1, last - space - 1);
      request.version = line.substr(last + 1);
      if (!isToken(request.method) || request.target.empty() ||
          request.target.find(' ') != std::string::npos) {
        throw BadRequest{400, "request line"};
      }
      if (request.version != "HTTP/1.1" && request.version != "HTTP/1.0") {
        throw BadRequest{505, "version"};
      }
      first = false;
      continue;
    }
    if (line.empty()) break;
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || !isToken(line.substr(0, colon))) {
      throw BadRequest{400, "header field"};
    }
    request.headers.emplace_back(std::string{line.substr(0, colon)},
                                 std::string{trimBlanks(line.substr(colon + 1))});
  }
  if (request.version == "HTTP/1.1" && request.headerCount("Host") != 1) {
    throw BadRequest{400, "Host"};
  }
  return request;
}

/// How the body is framed; throws BadRequest when that is ambiguous (RFC 9112 section 6.3).
struct Framing {
  bool chunked = false;
  std::uint64_t length = 0;
};

Framing framingOf(const ReceivedRequest& request) {
  Framing framing;
  const auto lengths = request.headerCount("Content-Length");
  const auto codings = request.headerCount("Transfer-Encoding");
  if (lengths > 0 && codings > 0) {
    throw BadRequest{400, "Content-Length and Transfer-Encoding"};
  }
  if (lengths > 1 || codings > 1) throw BadRequest{400, "repeated framing field"};
  if (codings == 1) {
    if (!equalsIgnoreCase(request.header("Transfer-Encoding"), "chunked")) {
      throw BadRequest{501, "transfer coding"};
    }
    framing.chunked = true;
  } else if (lengths == 1) {
    const std::string text = request.header("Content-Length");
    const auto* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, framing.length);
    if (text.empty() || parsed.ec != std::errc{} || parsed.ptr != end ||
        framing.length > kBodyLimit) {
      throw BadRequest{400, "Content-Length"};
    }
  }
  return framing;
}

bool wantsClose(const ReceivedRequest& request) {
  for (const std::string& option : split(request.header("Connection"), ',')) {
    if (equalsIgnoreCase(trim(option), "close")) return true;
  }
  return request.version == "HTTP/1.0";
}

}  // namespace

std::string ReceivedRequest::header(std::string_view name) const {
  for (const auto& [field, value] : headers) {
    if (equalsIgnoreCase(field, name)) return value;
  }
  return {};
}

std::size_t ReceivedRequest::headerCount(std::string_view name) const {
  return static_cast<std::size_t>(
      std::count_if(headers.begin(), headers.end(),
                    [name](const auto& field) { return equalsIgnoreCase(field.first, name); }));
}

std::string ReceivedRequest::path() const { return target.substr(0, target.find('?')); }

std::string ReceivedRequest::query() const {
  const auto mark = target.find('?');
  return mark == std::string::npos ? std::string{} : target.substr(mark + 1);
}

std::optional<std::string> ReceivedRequest::queryValue(std::string_view name) const {
  const auto fields = decodeForm(query());
  if (!fields) return std::nullopt;
  for (const auto& [key, value] : *fields) {
    if (key == name) return value;
  }
  return std::nullopt;
}

Reply jsonReply(int status, std::string json) {
  Reply reply;
  reply.status = status;
  reply.headers.emplace_back("Content-Type", "application/json");
  reply.body = std::move(json);
  return reply;
}

class FakeUpstream::Impl {
 public:
  explicit Impl(FakeUpstreamOptions options) : options_(std::move(options)) {
    if (options_.tls) makeTlsContext();
    stopEvent_.reset(::eventfd(0, EFD_CLOEXEC));
    listen();
    url_ = (options_.tls ? "https://" : "http://") + options_.host + ":" + std::to_string(port_);
    acceptor_ = std::thread([this] { acceptLoop(); });
  }

  ~Impl() { stop(); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void stop() noexcept {
    // Several callers may meet here; the joins must happen once.
    const std::lock_guard<std::mutex> once(stopMutex_);
    if (stopped_) return;
    stopped_ = true;
    const std::uint64_t one = 1;
    // The counter stays set, so every poll on it from now on returns at once.
    const auto written = ::write(stopEvent_.get(), &one, sizeof one);
    static_cast<void>(written);
    {
      const MutexLock lock(mutex_);
      stopping_ = true;
      shutDownAll();
    }
    changed_.notify_all();
    acceptor_.join();
    listener_.reset();
    std::map<std::uint64_t, Open> rest;
    {
      const MutexLock lock(mutex_);
      rest.swap(open_);
      shutDown(rest);
    }
    for (auto& [id, connection] : rest) connection.thread.join();
  }

  struct Open {
    std::shared_ptr<Descriptor> socket;
    std::thread thread;
    bool done = false;
  };

  class Connection;

  void acceptLoop() noexcept;
  void listen();
  void makeTlsContext();
  void serve(std::uint64_t id, const std::shared_ptr<Descriptor>& socket) noexcept;
  void converse(Connection& connection);
  void answer(Connection& connection, const ReceivedRequest& request, const Reply& reply,
              const std::optional<Fault>& fault, bool close);
  std::optional<Fault> takeFault(const ReceivedRequest& request) STRATOS_EXCLUDES(mutex_);
  UpstreamHandler findHandler(const std::string& path) STRATOS_EXCLUDES(mutex_);
  void record(ReceivedRequest request) STRATOS_EXCLUDES(mutex_);
  void hold(Connection& connection) STRATOS_EXCLUDES(mutex_);
  void waitForEnd(Connection& connection);

  static void shutDown(const std::map<std::uint64_t, Open>& connections) noexcept {
    for (const auto& [id, connection] : connections) {
      if (!connection.done) ::shutdown(connection.socket->get(), SHUT_RDWR);
    }
  }
  void shutDownAll() noexcept STRATOS_REQUIRES(mutex_) { shutDown(open_); }
  [[nodiscard]] std::size_t countOpen() const STRATOS_REQUIRES(mutex_) {
    return static_cast<std::size_t>(std::count_if(
        open_.begin(), open_.end(), [](const auto& entry) { return !entry.second.done; }));
  }

  /// What can be waited for, with the mutex held.
  [[nodiscard]] bool hasHeld(std::uint64_t count) const STRATOS_REQUIRES(mutex_) {
    return held_ >= count;
  }
  [[nodiscard]] bool hasReceived(std::uint64_t count) const STRATOS_REQUIRES(mutex_) {
    return requestCount_ >= count;
  }
  [[nodiscard]] bool hasAtMostOpen(std::uint64_t count) const STRATOS_REQUIRES(mutex_) {
    return countOpen() <= count;
  }

  bool waitUntil(bool (Impl::*condition)(std::uint64_t) const, std::uint64_t count,
                 Deadline deadline) const {
    MutexLock lock(mutex_);
    while (!(this->*condition)(count)) {
      if (deadline.isNever()) {
        changed_.wait(lock);
      } else if (changed_.wait_until(lock, deadline.at()) == std::cv_status::timeout) {
        return (this->*condition)(count);
      }
    }
    return true;
  }

  FakeUpstreamOptions options_;
  std::string url_;
  std::uint16_t port_ = 0;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> tls_{nullptr, &SSL_CTX_free};
  Descriptor listener_;
  Descriptor stopEvent_;
  std::thread acceptor_;
  std::mutex stopMutex_;
  bool stopped_ = false;

  mutable Mutex mutex_;
  mutable std::condition_variable_any changed_;
  bool stopping_ STRATOS_GUARDED_BY(mutex_) = false;
  std::map<std::uint64_t, Open> open_ STRATOS_GUARDED_BY(mutex_);
  std::map<std::string, UpstreamHandler> handlers_ STRATOS_GUARDED_BY(mutex_);
  UpstreamHandler unauthorized_ STRATOS_GUARDED_BY(mutex_);
  std::vector<Fault> faults_ STRATOS_GUARDED_BY(mutex_);
  AcceptMode acceptMode_ STRATOS_GUARDED_BY(mutex_) = AcceptMode::Normal;
  std::deque<ReceivedRequest> log_ STRATOS_GUARDED_BY(mutex_);
  std::uint64_t requestCount_ STRATOS_GUARDED_BY(mutex_) = 0;
  std::uint64_t connectionCount_ STRATOS_GUARDED_BY(mutex_) = 0;
  std::uint64_t protocolErrors_ STRATOS_GUARDED_BY(mutex_) = 0;
  std::uint64_t failedHandshakes_ STRATOS_GUARDED_BY(mutex_) = 0;
  std::size_t held_ STRATOS_GUARDED_BY(mutex_) = 0;
  std::uint64_t releases_ STRATOS_GUARDED_BY(mutex_) = 0;
};

/// One accepted socket with its buffer; the thread that serves it is its only user.
class FakeUpstream::Impl::Connection final : public PeerConnection {
 public:
  Connection(Impl& owner, std::uint64_t id, int fd) : owner_(owner), id_(id), fd_(fd) {}
  ~Connection() override {
    if (ssl_ && orderly_) SSL_shutdown(ssl_.get());
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  bool handshake() {
    ssl_.reset(SSL_new(owner_.tls_.get()));
    ERR_clear_error();
    if (SSL_set_fd(ssl_.get(), fd_) != 1 || SSL_accept(ssl_.get()) != 1) {
      ERR_clear_error();
      return false;
    }
    if (X509* peer = SSL_get0_peer_certificate(ssl_.get()); peer != nullptr) {
      X509_NAME* subject = X509_get_subject_name(peer);
      const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
      if (at >= 0) {
        const ASN1_STRING* text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
        const auto* bytes = ASN1_STRING_get0_data(text);
        clientName_.assign(bytes, bytes + ASN1_STRING_length(text));
      }
    }
    return true;
  }

  bool send(std::string_view bytes) override {
    while (!bytes.empty()) {
      const auto part = std::min<std::size_t>(bytes.size(), 1U << 20U);
      std::ptrdiff_t sent = 0;
      if (ssl_) {
        ERR_clear_error();
        sent = SSL_write(ssl_.get(), bytes.data(), static_cast<int>(part));
      } else {
        sent = ::send(fd_, bytes.data(), part, MSG_NOSIGNAL);
      }
      if (sent <= 0) {
        if (!ssl_ && sent < 0 && errno == EINTR) continue;
        orderly_ = false;
        return false;
      }
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  std::optional<std::string> receive(milliseconds wait) override {
    if (!buffer_.empty()) return std::exchange(buffer_, {});
    if (!ssl_ || SSL_pending(ssl_.get()) == 0) {
      std::array<pollfd, 2> wanted{{{fd_, POLLIN, 0}, {owner_.stopEvent_.get(), POLLIN, 0}}};
      const int ready = ::poll(wanted.data(), wanted.size(), static_cast<int>(wait.count()));
      if (ready == 0) return std::nullopt;
      if (wanted[1].revents != 0) return std::string{};
    }
    if (!fill()) return std::string{};
    return std::exchange(buffer_, {});
  }

  bool pause(milliseconds wait) override {
    pollfd stop{owner_.stopEvent_.get(), POLLIN, 0};
    return ::poll(&stop, 1, static_cast<int>(wait.count())) == 0;
  }

  /// Reads more into the buffer; false at the end of the stream.
  bool fill() {
    std::array<char, 16 * 1024> chunk;
    std::ptrdiff_t got = 0;
    do {
      if (ssl_) {
        ERR_clear_error();
        got = SSL_read(ssl_.get(), chunk.data(), static_cast<int>(chunk.size()));
      } else {
        got = ::recv(fd_, chunk.data(), chunk.size(), 0);
      }
    } while (!ssl_ && got < 0 && errno == EINTR);
    if (got <= 0) {
      orderly_ = orderly_ && got == 0;
      return false;
    }
    buffer_.append(chunk.data(), static_cast<std::size_t>(got));
    return true;
  }

  /// The head including its empty line; nullopt when the stream ended before its first byte.
  std::optional<std::string> readHead() {
    for (;;) {
      const auto end = buffer_.find("\r\n\r\n");
      if (end != std::string::npos) return take(end + 4);
      if (buffer_.find("\n\n") != std::string::npos) throw BadRequest{400, "bare LF"};
      if (buffer_.size() > kHeadLimit) throw BadRequest{431, "head too large"};
      if (!fill()) {
        if (buffer_.empty()) return std::nullopt;
        throw Gone{};
      }
    }
  }

  std::string readBody(const Framing& framing) {
    if (!framing.chunked) return readExactly(framing.length);
    std::string body;
    for (;;) {
      std::string line = readLine();
      line.resize(std::min(line.size(), line.find(';')));
      std::size_t size = 0;
      const auto* end = line.data() + line.size();
      const auto parsed = std::from_chars(line.data(), end, size, 16);
      if (line.empty() || parsed.ec != std::errc{} || parsed.ptr != end ||
          size > kBodyLimit - body.size()) {
        throw BadRequest{400, "chunk size"};
      }
      if (size == 0) break;
      body += readExactly(size);
      if (!readLine().empty()) throw BadRequest{400, "chunk end"};
    }
    while (!readLine().empty()) {
    }
    return body;
  }

  void cutHard() {
    const linger now{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    orderly_ = false;
  }
  /// Ends TLS without its closing alert, as a crash does.
  void cut() noexcept { orderly_ = false; }

  [[nodiscard]] std::uint64_t id() const noexcept { return id_; }
  [[nodiscard]] int fd() const noexcept { return fd_; }
  [[nodiscard]] bool isSecure() const noexcept { return ssl_ != nullptr; }
  [[nodiscard]] const std::string& clientName() const noexcept { return clientName_; }

 private:
  std::string take(std::size_t count) {
    std::string part = buffer_.substr(0, count);
    buffer_.erase(0, count);
    return part;
  }
  std::string readExactly(std::uint64_t count) {
    while (buffer_.size() < count) {
      if (!fill()) throw Gone{};
    }
    return take(count);
  }
  std::string readLine() {
    for (;;) {
      const auto end = buffer_.find("\r\n");
      if (end != std::string::npos) {
        std::string line = take(end + 2);
        line.resize(end);
        return line;
      }
      if (buffer_.size() > kHeadLimit) throw BadRequest{400, "line too long"};
      if (!fill()) throw Gone{};
    }
  }

  Impl& owner_;
  const std::uint64_t id_;
  const int fd_;
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl_{nullptr, &SSL_free};
  std::string buffer_;
  std::string clientName_;
  bool orderly_ = true;
};

void FakeUpstream::Impl::listen() {
  const auto refuse = [this](const char* step) {
    throw Error(ErrorCode::Unavailable, "cannot listen on " + options_.host + ":" +
                                            std::to_string(options_.port) + " (" + step +
                                            "): " + std::generic_category().message(errno));
  };
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(options_.port);
  const std::string literal = options_.host == "localhost" ? "127.0.0.1" : options_.host;
  if (::inet_pton(AF_INET, literal.c_str(), &address.sin_addr) != 1) {
    throw Error(ErrorCode::InvalidArgument, options_.host + " is no IPv4 address");
  }
  listener_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (listener_.get() < 0) refuse("socket");
  const int on = 1;
  ::setsockopt(listener_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  socklen_t size = sizeof address;
  // The socket interface is written in terms of sockaddr.
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listener_.get(), generic, size) != 0) refuse("bind");
  if (::listen(listener_.get(), 1024) != 0) refuse("listen");
  if (::getsockname(listener_.get(), generic, &size) != 0) refuse("getsockname");
  port_ = ntohs(address.sin_port);
}

void FakeUpstream::Impl::makeTlsContext() {
  tls_.reset(SSL_CTX_new(TLS_server_method()));
  const auto require = [](bool ok, const char* what) {
    if (!ok) throw Error(ErrorCode::InvalidArgument, std::string{"TLS identity: "} + what);
  };
  using BioPtr = std::unique_ptr<BIO, decltype(&BIO_free_all)>;
  const auto memory = [](const std::string& pem) {
    return BioPtr(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free_all);
  };
  using CertificatePtr = std::unique_ptr<X509, decltype(&X509_free)>;
  const auto readCertificate = [&](BIO* bio) {
    return CertificatePtr(PEM_read_bio_X509(bio, nullptr, nullptr, nullptr), &X509_free);
  };
  SSL_CTX_set_min_proto_version(tls_.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(tls_.get(), SSL_OP_IGNORE_UNEXPECTED_EOF);
  const BioPtr certificateBio = memory(options_.tls->certificatePem);
  const CertificatePtr certificate = readCertificate(certificateBio.get());
  require(certificate && SSL_CTX_use_certificate(tls_.get(), certificate.get()) == 1,
          "certificate");
  const BioPtr keyBio = memory(options_.tls->keyPem);
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      PEM_read_bio_PrivateKey(keyBio.get(), nullptr, nullptr, nullptr), &EVP_PKEY_free);
  require(key && SSL_CTX_use_PrivateKey(tls_.get(), key.get()) == 1, "key");
  if (!options_.clientCaPem.empty()) {
    const BioPtr caBio = memory(options_.clientCaPem);
    const CertificatePtr ca = readCertificate(caBio.get());
    require(ca && X509_STORE_add_cert(SSL_CTX_get_cert_store(tls_.get()), ca.get()) == 1 &&
                SSL_CTX_add_client_CA(tls_.get(), ca.get()) == 1,
            "client authority");
    const int must = options_.requireClientCertificate ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
    SSL_CTX_set_verify(tls_.get(), SSL_VERIFY_PEER | must, nullptr);
    static constexpr std::array<unsigned char, 7> kContext{'s', 't', 'r', 'a', 't', 'o', 's'};
    SSL_CTX_set_session_id_context(tls_.get(), kContext.data(), kContext.size());
  }
}

void FakeUpstream::Impl::acceptLoop() noexcept {
  for (;;) {
    std::array<pollfd, 2> wanted{{{listener_.get(), POLLIN, 0}, {stopEvent_.get(), POLLIN, 0}}};
    if (::poll(wanted.data(), wanted.size(), -1) < 0 && errno != EINTR) return;
    if (wanted[1].revents != 0) return;
    const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    auto socket = std::make_shared<Descriptor>(fd);
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    std::vector<std::thread> finished;
    {
      const MutexLock lock(mutex_);
      if (stopping_) return;
      for (auto it = open_.begin(); it != open_.end();) {
        if (it->second.done) {
          finished.push_back(std::move(it->second.thread));
          it = open_.erase(it);
        } else {
          ++it;
        }
      }
      const std::uint64_t id = ++connectionCount_;
      // The thread needs the lock to leave, so its entry is complete before it can.
      Open& entry = open_[id];
      entry.socket = socket;
      entry.thread = std::thread([this, id, socket] { serve(id, socket); });
    }
    changed_.notify_all();
    for (std::thread& thread : finished) thread.join();
  }
}

void FakeUpstream::Impl::serve(std::uint64_t id,
                               const std::shared_ptr<Descriptor>& socket) noexcept {
  // OpenSSL writes without MSG_NOSIGNAL.
  sigset_t pipe;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
  try {
    Connection connection(*this, id, socket->get());
    AcceptMode mode = AcceptMode::Normal;
    {
      const MutexLock lock(mutex_);
      mode = acceptMode_;
    }
    if (mode == AcceptMode::Hang) {
      waitForEnd(connection);
    } else if (mode == AcceptMode::Normal) {
      if (tls_ && !connection.handshake()) {
        const MutexLock lock(mutex_);
        ++failedHandshakes_;
        connection.cut();
      } else {
        converse(connection);
      }
    }
  } catch (const Gone&) {
    // The other side left in the middle of a request; there is nobody to answer.
  } catch (const std::exception&) {
    const MutexLock lock(mutex_);
    ++protocolErrors_;
  }
  {
    const MutexLock lock(mutex_);
    socket->reset();
    const auto found = open_.find(id);
    if (found != open_.end()) found->second.done = true;
    changed_.notify_all();
  }
}

void FakeUpstream::Impl::waitForEnd(Connection& connection) {
  std::array<pollfd, 2> wanted{{{connection.fd(), POLLRDHUP, 0}, {stopEvent_.get(), POLLIN, 0}}};
  while (::poll(wanted.data(), wanted.size(), -1) < 0 && errno == EINTR) {
  }
  connection.cut();
}

void FakeUpstream::Impl::hold(Connection& connection) {
  MutexLock lock(mutex_);
  ++held_;
  changed_.notify_all();
  const std::uint64_t seen = releases_;
  while (releases_ == seen && !stopping_) changed_.wait(lock);
  --held_;
  changed_.notify_all();
  if (stopping_) {
    connection.cut();
    throw Gone{};
  }
}

std::optional<Fault> FakeUpstream::Impl::takeFault(const ReceivedRequest& request) {
  const std::string path = request.path();
  const MutexLock lock(mutex_);
  for (auto it = faults_.begin(); it != faults_.end(); ++it) {
    if (!path.starts_with(it->pathPrefix)) continue;
    if (!it->method.empty() && it->method != request.method) continue;
    Fault fault = *it;
    if (it->times > 0 && --it->times == 0) faults_.erase(it);
    return fault;
  }
  return std::nullopt;
}

UpstreamHandler FakeUpstream::Impl::findHandler(const std::string& path) {
  const MutexLock lock(mutex_);
  const UpstreamHandler* best = nullptr;
  std::size_t bestLength = 0;
  for (const auto& [prefix, handler] : handlers_) {
    if (path.starts_with(prefix) && (best == nullptr || prefix.size() >= bestLength)) {
      best = &handler;
      bestLength = prefix.size();
    }
  }
  return best != nullptr ? *best : UpstreamHandler{};
}

void FakeUpstream::Impl::record(ReceivedRequest request) {
  if (request.body.size() > options_.loggedBodyBytes) request.body.resize(options_.loggedBodyBytes);
  const MutexLock lock(mutex_);
  ++requestCount_;
  log_.push_back(std::move(request));
  if (log_.size() > options_.loggedRequests) log_.pop_front();
  changed_.notify_all();
}

void FakeUpstream::Impl::converse(Connection& connection) {
  try {
    for (;;) {
      const auto head = connection.readHead();
      if (!head) return;
      ReceivedRequest request = parseHead(*head);
      request.connection = connection.id();
      request.secure = connection.isSecure();
      request.clientCommonName = connection.clientName();
      const Framing framing = framingOf(request);
      const auto fault = takeFault(request);
      const bool early = fault && fault->beforeBody;
      if (!early) {
        if (equalsIgnoreCase(request.header("Expect"), "100-continue")) {
          connection.send("HTTP/1.1 100 Continue\r\n\r\n");
        }
        request.body = connection.readBody(framing);
        request.bodySize = request.body.size();
      }
      record(request);
      const bool close = wantsClose(request) || early;

      Reply reply;
      bool handled = false;
      if (fault) {
        switch (fault->kind) {
          case FaultKind::Delay:
            if (!connection.pause(fault->delay)) return connection.cut();
            break;
          case FaultKind::Hold:
            hold(connection);
            break;
          case FaultKind::CloseBeforeAnswer:
            return connection.cut();
          case FaultKind::Reset:
            return connection.cutHard();
          case FaultKind::Hang:
            return waitForEnd(connection);
          case FaultKind::EndlessHeaders:
            connection.send("HTTP/1.1 200 OK\r\n");
            while (connection.send("X-Endless: " + std::string(4096, 'e') + "\r\n") &&
                   connection.pause(milliseconds{0})) {
            }
            return connection.cut();
          case FaultKind::HtmlPage:
            reply.headers = {{"Content-Type", "text/html; charset=utf-8"}};
            reply.body = "<!DOCTYPE html><html><body><h1>It works!</h1></body></html>";
            handled = true;
            break;
          case FaultKind::Status:
            reply.status = fault->status;
            reply.headers = {{"Content-Type", fault->contentType}};
            reply.body = fault->body;
            handled = true;
            break;
          case FaultKind::TooManyRequests:
            reply = jsonReply(429, fault->body.empty() ? R"({"error":"rate_limit"})" : fault->body);
            reply.headers.emplace_back("Retry-After", std::to_string(fault->retryAfterSeconds));
            handled = true;
            break;
          case FaultKind::Unauthorized: {
            UpstreamHandler unauthorized;
            {
              const MutexLock lock(mutex_);
              unauthorized = unauthorized_;
            }
            reply = unauthorized ? unauthorized(request)
                                 : jsonReply(401, R"({"error":"unauthorized"})");
            handled = true;
            break;
          }
          case FaultKind::CloseAfterHandling:
          case FaultKind::CutBody:
          case FaultKind::BrokenChunk:
          case FaultKind::SlowDrip:
            break;
        }
      }
      if (!handled) {
        if (const auto handler = findHandler(request.path())) {
          reply = handler(request);
        } else {
          reply.status = 404;
          reply.headers = {{"Content-Type", "text/plain"}};
          reply.body = "404 page not found\n";
        }
      }
      if (fault && fault->kind == FaultKind::CloseAfterHandling) return connection.cut();
      if (reply.raw) {
        reply.raw(connection);
        return;
      }
      answer(connection, request, reply, fault, close);
      const bool broken =
          fault && (fault->kind == FaultKind::CutBody || fault->kind == FaultKind::BrokenChunk);
      if (broken) return connection.cut();
      if (close) return;
    }
  } catch (const BadRequest& bad) {
    {
      const MutexLock lock(mutex_);
      ++protocolErrors_;
    }
    connection.send("HTTP/1.1 " + std::to_string(bad.status) + " " +
                    std::string{reasonOf(bad.status)} +
                    "\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: " +
                    std::to_string(bad.text.size()) + "\r\n\r\n" + bad.text);
  }
}

void FakeUpstream::Impl::answer(Connection& connection, const ReceivedRequest& request,
                                const Reply& reply, const std::optional<Fault>& fault, bool close) {
  const auto is = [&](FaultKind kind) { return fault && fault->kind == kind; };
  const bool bodyless = reply.status == 204 || reply.status == 304 || reply.status < 200;
  std::string out = "HTTP/1.1 " + std::to_string(reply.status) + " " +
                    std::string{reasonOf(reply.status)} + "\r\n";
  for (const auto& [name, value] : reply.headers) out += name + ": " + value + "\r\n";
  if (close) out += "Connection: close\r\n";
  if (is(FaultKind::BrokenChunk)) {
    connection.send(out + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nxyz\r\nnever\r\n");
    return;
  }
  std::string body;
  if (reply.chunkSize > 0 && !bodyless) {
    out += "Transfer-Encoding: chunked\r\n\r\n";
    for (std::size_t at = 0; at < reply.body.size(); at += reply.chunkSize) {
      const std::string part = reply.body.substr(at, reply.chunkSize);
      std::array<char, 16> size{};
      const auto end = std::to_chars(size.data(), size.data() + size.size(), part.size(), 16);
      body.append(size.data(), end.ptr);
      body += "\r\n" + part + "\r\n";
    }
    body += "0\r\n\r\n";
  } else {
    if (is(FaultKind::CutBody) && reply.body.empty()) {
      body = " ";  // A body to cut: Content-Length promises two bytes, one is sent.
      out += "Content-Length: 2\r\n\r\n";
      connection.send(out + body);
      return;
    }
    if (!bodyless) out += "Content-Length: " + std::to_string(reply.body.size()) + "\r\n";
    out += "\r\n";
    body = reply.body;
  }
  if (request.method == "HEAD" || bodyless) body.clear();
  if (is(FaultKind::CutBody)) body.resize(body.size() / 2);
  out += body;
  if (is(FaultKind::SlowDrip)) {
    for (const char c : out) {
      if (!connection.send({&c, 1}) || !connection.pause(fault->delay)) throw Gone{};
    }
    return;
  }
  if (!connection.send(out)) throw Gone{};
}

FakeUpstream::FakeUpstream(FakeUpstreamOptions options)
    : impl_(std::make_unique<Impl>(std::move(options))) {}
FakeUpstream::~FakeUpstream() = default;

const std::string& FakeUpstream::url() const noexcept { return impl_->url_; }
std::uint16_t FakeUpstream::port() const noexcept { return impl_->port_; }
void FakeUpstream::stop() noexcept { impl_->stop(); }

void FakeUpstream::handle(std::string pathPrefix, UpstreamHandler handler) {
  const MutexLock lock(impl_->mutex_);
  impl_->handlers_[std::move(pathPrefix)] = std::move(handler);
}

void FakeUpstream::setUnauthorizedReply(UpstreamHandler handler) {
  const MutexLock lock(impl_->mutex_);
  impl_->unauthorized_ = std::move(handler);
}

void FakeUpstream::addFault(Fault fault) {
  if (fault.times == 0) return;
  const MutexLock lock(impl_->mutex_);
  impl_->faults_.push_back(std::move(fault));
}

void FakeUpstream::clearFaults() {
  const MutexLock lock(impl_->mutex_);
  impl_->faults_.clear();
}

void FakeUpstream::setAcceptMode(AcceptMode mode) {
  const MutexLock lock(impl_->mutex_);
  impl_->acceptMode_ = mode;
}

void FakeUpstream::release() {
  const MutexLock lock(impl_->mutex_);
  ++impl_->releases_;
  impl_->changed_.notify_all();
}

bool FakeUpstream::waitUntilHeld(std::size_t count, Deadline deadline) const {
  return impl_->waitUntil(&Impl::hasHeld, count, deadline);
}

std::vector<ReceivedRequest> FakeUpstream::requests() const { return requestsTo(""); }

std::vector<ReceivedRequest> FakeUpstream::requestsTo(std::string_view pathPrefix) const {
  const MutexLock lock(impl_->mutex_);
  std::vector<ReceivedRequest> found;
  for (const ReceivedRequest& request : impl_->log_) {
    if (request.path().starts_with(pathPrefix)) found.push_back(request);
  }
  return found;
}

std::uint64_t FakeUpstream::requestCount() const {
  const MutexLock lock(impl_->mutex_);
  return impl_->requestCount_;
}

bool FakeUpstream::waitForRequests(std::uint64_t count, Deadline deadline) const {
  return impl_->waitUntil(&Impl::hasReceived, count, deadline);
}

void FakeUpstream::clearRequests() {
  const MutexLock lock(impl_->mutex_);
  impl_->log_.clear();
}

std::uint64_t FakeUpstream::connectionCount() const {
  const MutexLock lock(impl_->mutex_);
  return impl_->connectionCount_;
}

std::size_t FakeUpstream::openConnections() const {
  const MutexLock lock(impl_->mutex_);
  return impl_->countOpen();
}

std::uint64_t FakeUpstream::protocolErrors() const {
  const MutexLock lock(impl_->mutex_);
  return impl_->protocolErrors_;
}

std::uint64_t FakeUpstream::failedHandshakes() const {
  const MutexLock lock(impl_->mutex_);
  return impl_->failedHandshakes_;
}

bool FakeUpstream::waitForOpenConnections(std::size_t count, Deadline deadline) const {
  return impl_->waitUntil(&Impl::hasAtMostOpen, count, deadline);
}

void FakeUpstream::closeConnections() {
  const MutexLock lock(impl_->mutex_);
  impl_->shutDownAll();
}

}  // namespace stratos::testing
