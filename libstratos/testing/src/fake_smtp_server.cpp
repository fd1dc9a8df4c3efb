#include "stratos/testing/fake_smtp_server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <csignal>
#include <functional>
#include <map>
#include <set>
#include <thread>

#include "stratos/base/annotations.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"

namespace stratos::testing {
namespace {

constexpr std::size_t kCommandBytes = 512;    // RFC 5321 section 4.5.3.1.4
constexpr std::size_t kTextLineBytes = 1000;  // section 4.5.3.1.6
constexpr std::size_t kMailBytes = 16 * 1024 * 1024;

std::string toUpperAscii(std::string_view text) {
  std::string upper{text};
  for (char& c : upper) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return upper;
}

/// The header of `text` up to its empty line, unfolded, by lower-case name.
std::map<std::string, std::string> headerOf(std::string_view text) {
  std::map<std::string, std::string> fields;
  std::string* last = nullptr;
  for (const std::string& line : split(text.substr(0, text.find("\r\n\r\n")), '\n')) {
    if (line.starts_with(' ') || line.starts_with('\t')) {
      if (last != nullptr) last->append(" ").append(trim(line));
      continue;
    }
    const auto colon = line.find(':');
    if (colon == std::string::npos) continue;
    last = &fields[toLower(line.substr(0, colon))];
    *last = std::string{trim(std::string_view{line}.substr(colon + 1))};
  }
  return fields;
}

std::string findPart(std::string_view entity, const std::string& type) {
  const auto fields = headerOf(entity);
  const auto find = [&](const char* name) {
    const auto it = fields.find(name);
    return it == fields.end() ? std::string{} : it->second;
  };
  const auto split = entity.find("\r\n\r\n");
  if (split == std::string_view::npos) return {};
  std::string_view body = entity.substr(split + 4);
  const std::string contentType = find("content-type");
  if (const auto at = contentType.find("boundary=\""); at != std::string::npos) {
    const auto start = at + std::string_view{"boundary=\""}.size();
    const std::string mark = "--" + contentType.substr(start, contentType.find('"', start) - start);
    for (auto from = body.find(mark); from != std::string_view::npos;) {
      const auto begin = body.find("\r\n", from);
      const auto next = body.find(mark, from + mark.size());
      if (begin == std::string_view::npos || next == std::string_view::npos) return {};
      if (std::string found = findPart(body.substr(begin + 2, next - begin - 2), type);
          !found.empty()) {
        return found;
      }
      from = next;
    }
    return {};
  }
  if (!contentType.starts_with(type)) return {};
  if (find("content-transfer-encoding") != "base64") return std::string{body};
  std::string packed{body};
  std::erase_if(packed, [](char c) { return c == '\r' || c == '\n'; });
  return fromBase64(packed).value_or("");
}

/// The other side went away, or broke a rule so that nothing more can be said.
struct Gone {};

}  // namespace

std::string ReceivedMail::header(const std::string& name) const {
  const auto fields = headerOf(data);
  const auto found = fields.find(toLower(name));
  return found == fields.end() ? std::string{} : found->second;
}

std::string ReceivedMail::part(const std::string& type) const { return findPart(data, type); }

class FakeSmtpServer::Impl {
 public:
  explicit Impl(FakeSmtpServerOptions options) : options_(std::move(options)) {
    if (options_.tls) makeTlsContext();
    listen();
    acceptor_ = std::thread([this] { acceptLoop(); });
  }
  ~Impl() {
    {
      const MutexLock lock(mutex_);
      stopping_ = true;
    }
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    closeConnections();
    std::vector<std::thread> threads;
    {
      const MutexLock lock(mutex_);
      threads.swap(threads_);
    }
    for (std::thread& thread : threads) thread.join();
    ::close(listener_);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void closeConnections() {
    const MutexLock lock(mutex_);
    for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
  }

  struct Script {
    std::string answer;
    int times = 0;
    bool hang = false;
  };

  const FakeSmtpServerOptions options_;
  std::uint16_t port_ = 0;
  mutable Mutex mutex_;
  bool stopping_ STRATOS_GUARDED_BY(mutex_) = false;
  std::set<int> open_ STRATOS_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_ STRATOS_GUARDED_BY(mutex_);
  std::map<std::string, Script> scripts_ STRATOS_GUARDED_BY(mutex_);
  std::string injected_ STRATOS_GUARDED_BY(mutex_);
  std::vector<ReceivedMail> mails_ STRATOS_GUARDED_BY(mutex_);
  std::vector<std::string> commands_ STRATOS_GUARDED_BY(mutex_);
  mutable std::condition_variable_any commanded_;
  std::uint64_t connections_ STRATOS_GUARDED_BY(mutex_) = 0;

 private:
  class Session;

  void makeTlsContext();
  void listen();
  void acceptLoop();

  int listener_ = -1;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> tls_{nullptr, &SSL_CTX_free};
  std::thread acceptor_;
};

/// One connection, served by its own thread.
class FakeSmtpServer::Impl::Session {
 public:
  Session(Impl& owner, int fd, std::uint64_t number) : owner_(owner), fd_(fd), number_(number) {}

  void run() {
    try {
      if (owner_.options_.implicitTls) startTls();
      reply("CONNECT", "220 mail.example ESMTP");
      for (;;) step(readLine(kCommandBytes));
    } catch (const Gone&) {
      // The ordinary end.
    }
    if (ssl_) SSL_shutdown(ssl_.get());
  }

 private:
  void step(const std::string& line) {
    const std::string upper = toUpperAscii(line);
    {
      const MutexLock lock(owner_.mutex_);
      owner_.commands_.push_back(upper.starts_with("AUTH") ? upper.substr(0, 10) : line);
    }
    owner_.commanded_.notify_all();
    const bool hasTls = owner_.options_.tls.has_value() && !owner_.options_.implicitTls;
    const bool mustSignIn = !owner_.options_.user.empty() && mail_.user.empty();
    if (upper.starts_with("EHLO ")) {
      std::string text = "250-mail.example at your service\r\n";
      if (hasTls && !ssl_) text += "250-STARTTLS\r\n";
      if (!owner_.options_.user.empty()) text += "250-AUTH LOGIN PLAIN\r\n";
      greeted_ = true;
      reply("EHLO", text + "250 8BITMIME");
    } else if (upper.starts_with("HELO ")) {
      greeted_ = true;
      reply("HELO", "250 mail.example");
    } else if (upper == "QUIT") {
      reply("QUIT", "221 bye");
      throw Gone{};
    } else if (!greeted_) {
      send("503 say EHLO first\r\n");
    } else if (upper == "STARTTLS") {
      beginTls(hasTls);
    } else if (upper.starts_with("AUTH PLAIN ")) {
      authenticate(line.substr(11));
    } else if (upper == "RSET") {
      resetMail();
      reply("RSET", "250 ok");
    } else if (upper.starts_with("MAIL FROM:")) {
      if (mustSignIn) return send("530 authentication required\r\n");
      if (isBegun_) return send("503 one at a time\r\n");
      if (reply("MAIL", "250 ok")) {
        isBegun_ = true;
        mail_.from = pathOf(line);
      }
    } else if (upper.starts_with("RCPT TO:")) {
      if (!isBegun_) return send("503 MAIL first\r\n");
      if (reply("RCPT", "250 ok")) mail_.recipients.push_back(pathOf(line));
    } else if (upper == "DATA") {
      if (mail_.recipients.empty()) return send("503 RCPT first\r\n");
      if (reply("DATA", "354 go ahead")) takeData();
    } else {
      send("500 what?\r\n");
    }
  }

  void beginTls(bool hasTls) {
    if (!hasTls || ssl_) return send("503 no\r\n");
    std::string extra;
    {
      const MutexLock lock(owner_.mutex_);
      extra = owner_.injected_;
    }
    if (!reply("STARTTLS", "220 go ahead" + (extra.empty() ? "" : "\r\n" + extra))) return;
    startTls();
    // RFC 3207 section 4.2: what was said before is forgotten.
    greeted_ = false;
    resetMail();
  }

  void authenticate(const std::string& credentials) {
    if (owner_.options_.tls && !ssl_) return send("538 encryption required\r\n");
    const std::string expected = '\0' + owner_.options_.user + '\0' + owner_.options_.password;
    if (fromBase64(credentials) != expected) return send("535 wrong " + credentials + "\r\n");
    if (reply("AUTH", "235 welcome")) mail_.user = owner_.options_.user;
  }

  void takeData() {
    std::string data;
    for (;;) {
      std::string line = readLine(kTextLineBytes);
      if (line == ".") break;
      if (line.starts_with('.')) line.erase(0, 1);
      data += line + "\r\n";
      if (data.size() > kMailBytes) throw Gone{};
    }
    mail_.data = std::move(data);
    mail_.secure = ssl_ != nullptr;
    mail_.connection = number_;
    reply(".", "250 queued", [this] {
      const MutexLock lock(owner_.mutex_);
      owner_.mails_.push_back(mail_);
    });
    resetMail();
  }

  void resetMail() {
    isBegun_ = false;
    const std::string user = mail_.user;
    mail_ = {};
    mail_.user = user;
  }

  static std::string pathOf(const std::string& line) {
    const auto open = line.find('<');
    const auto close = line.rfind('>');
    return open == std::string::npos || close == std::string::npos || close < open
               ? std::string{}
               : line.substr(open + 1, close - open - 1);
  }

  /// Answers as usual, or as scripted; true when that was a positive answer. `accept` runs before
  /// a positive answer leaves, so that the client never knows of more than the test can see.
  bool reply(const std::string& verb, const std::string& usual,
             const std::function<void()>& accept = {}) {
    Script script;
    {
      const MutexLock lock(owner_.mutex_);
      auto& stored = owner_.scripts_[verb];
      if (stored.times > 0) {
        --stored.times;
        script = stored;
        script.times = 1;
      }
    }
    if (script.hang) {
      for (;;) static_cast<void>(readLine(kTextLineBytes));
    }
    if (script.times > 0) {
      if (script.answer.empty()) throw Gone{};
      const bool positive = script.answer.starts_with('2') || script.answer.starts_with('3');
      if (positive && accept) accept();
      send(script.answer + "\r\n");
      if (script.answer.starts_with("421")) throw Gone{};
      return positive;
    }
    if (accept) accept();
    send(usual + "\r\n");
    return true;
  }

  void startTls() {
    // What came in the clear does not count.
    buffer_.clear();
    ssl_.reset(SSL_new(owner_.tls_.get()));
    ERR_clear_error();
    if (SSL_set_fd(ssl_.get(), fd_) != 1 || SSL_accept(ssl_.get()) != 1) {
      ERR_clear_error();
      ssl_.reset();
      throw Gone{};
    }
  }

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto sent =
          ssl_ ? SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()))
               : static_cast<int>(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL));
      if (sent <= 0) throw Gone{};
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }

  /// Without its CR LF.
  std::string readLine(std::size_t limitBytes) {
    for (;;) {
      if (const auto end = buffer_.find('\n'); end != std::string::npos) {
        if (end == 0 || buffer_[end - 1] != '\r' || end + 1 > limitBytes) throw Gone{};
        std::string line = buffer_.substr(0, end - 1);
        buffer_.erase(0, end + 1);
        return line;
      }
      std::array<char, 4096> piece{};
      const auto count = ssl_ ? SSL_read(ssl_.get(), piece.data(), static_cast<int>(piece.size()))
                              : static_cast<int>(::recv(fd_, piece.data(), piece.size(), 0));
      if (count <= 0) throw Gone{};
      buffer_.append(piece.data(), static_cast<std::size_t>(count));
    }
  }

  Impl& owner_;
  const int fd_;
  const std::uint64_t number_;
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl_{nullptr, &SSL_free};
  std::string buffer_;
  bool greeted_ = false;
  bool isBegun_ = false;
  ReceivedMail mail_;
};

void FakeSmtpServer::Impl::makeTlsContext() {
  tls_.reset(SSL_CTX_new(TLS_server_method()));
  using BioPtr = std::unique_ptr<BIO, decltype(&BIO_free_all)>;
  const auto memory = [](const std::string& pem) {
    return BioPtr(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free_all);
  };
  const BioPtr certificateBio = memory(options_.tls->certificatePem);
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(
      PEM_read_bio_X509(certificateBio.get(), nullptr, nullptr, nullptr), &X509_free);
  const BioPtr keyBio = memory(options_.tls->keyPem);
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      PEM_read_bio_PrivateKey(keyBio.get(), nullptr, nullptr, nullptr), &EVP_PKEY_free);
  if (!certificate || !key || SSL_CTX_use_certificate(tls_.get(), certificate.get()) != 1 ||
      SSL_CTX_use_PrivateKey(tls_.get(), key.get()) != 1) {
    throw Error(ErrorCode::InvalidArgument, "the TLS identity cannot be used");
  }
}

void FakeSmtpServer::Impl::listen() {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  socklen_t size = sizeof(address);
  // The socket interface is written in terms of sockaddr.
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (::inet_pton(AF_INET, options_.host.c_str(), &address.sin_addr) != 1 || listener_ < 0 ||
      ::bind(listener_, generic, size) != 0 || ::listen(listener_, 64) != 0 ||
      ::getsockname(listener_, generic, &size) != 0) {
    if (listener_ >= 0) ::close(listener_);
    throw Error(ErrorCode::Unavailable, "the mail server cannot listen");
  }
  port_ = ntohs(address.sin_port);
}

void FakeSmtpServer::Impl::acceptLoop() {
  // OpenSSL writes without MSG_NOSIGNAL; the threads of the connections inherit this.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  for (;;) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    const MutexLock lock(mutex_);
    if (fd < 0 || stopping_) {
      if (fd >= 0) ::close(fd);
      if (stopping_) return;
      continue;
    }
    open_.insert(fd);
    threads_.emplace_back([this, fd, number = ++connections_] {
      Session(*this, fd, number).run();
      const MutexLock done(mutex_);
      open_.erase(fd);
      ::close(fd);
    });
  }
}

FakeSmtpServer::FakeSmtpServer(FakeSmtpServerOptions options)
    : impl_(std::make_unique<Impl>(std::move(options))) {}
FakeSmtpServer::~FakeSmtpServer() = default;

std::uint16_t FakeSmtpServer::port() const noexcept { return impl_->port_; }

void FakeSmtpServer::answerWith(const std::string& verb, std::string answer, int times) {
  const MutexLock lock(impl_->mutex_);
  impl_->scripts_[verb] = {std::move(answer), times, false};
}

void FakeSmtpServer::hangAt(const std::string& verb) {
  const MutexLock lock(impl_->mutex_);
  impl_->scripts_[verb] = {{}, 1, true};
}

void FakeSmtpServer::injectBeforeTls(std::string text) {
  const MutexLock lock(impl_->mutex_);
  impl_->injected_ = std::move(text);
}

std::vector<ReceivedMail> FakeSmtpServer::mails() const {
  const MutexLock lock(impl_->mutex_);
  return impl_->mails_;
}

std::vector<std::string> FakeSmtpServer::commands() const {
  const MutexLock lock(impl_->mutex_);
  return impl_->commands_;
}

bool FakeSmtpServer::waitForCommands(std::size_t count, Deadline deadline) const {
  MutexLock lock(impl_->mutex_);
  while (impl_->commands_.size() < count) {
    if (impl_->commanded_.wait_until(lock, deadline.at()) == std::cv_status::timeout) {
      return impl_->commands_.size() >= count;
    }
  }
  return true;
}

std::uint64_t FakeSmtpServer::connectionCount() const {
  const MutexLock lock(impl_->mutex_);
  return impl_->connections_;
}

void FakeSmtpServer::closeConnections() { impl_->closeConnections(); }

}  // namespace stratos::testing
