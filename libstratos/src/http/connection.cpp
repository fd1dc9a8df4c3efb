#include "http/connection.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <Poco/Exception.h>
#include <Poco/Net/DNS.h>
#include <Poco/Net/HostEntry.h>
#include <Poco/Net/NetException.h>
#include <Poco/Net/SocketImpl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "stratos/base/error.hpp"
#include "stratos/base/waiting.hpp"

namespace stratos::http::detail {
namespace {

// More policies than anybody has endpoints with a certificate of their own, at some 100 KiB each.
constexpr std::size_t kContextLimit = 256;

std::string systemMessage(int error) { return std::generic_category().message(error); }

// A burst of new connections has as many; each takes some KiB, its certificates included.
constexpr std::size_t kSessionsPerOrigin = 32;

constexpr const char* kAnswer = "waiting for the answer";

bool isIpAddress(const std::string& host) {
  in6_addr address{};
  return ::inet_pton(AF_INET, host.c_str(), &address) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

// Without the zone that Poco adds to link-local addresses.
std::string addressText(const Poco::Net::IPAddress& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(address.af(), address.addr(), text.data(), text.size());
  return text.data();
}

// A BIO over the socket that sends with MSG_NOSIGNAL, which OpenSSL's own does not.
int bioWrite(BIO* bio, const char* data, int length) {
  const int fd = *static_cast<int*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  const ssize_t count = ::send(fd, data, static_cast<std::size_t>(length), MSG_NOSIGNAL);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_write(bio);
  return static_cast<int>(count);
}

int bioRead(BIO* bio, char* data, int length) {
  const int fd = *static_cast<int*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  const ssize_t count = ::recv(fd, data, static_cast<std::size_t>(length), 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_read(bio);
  return static_cast<int>(count);
}

long bioControl(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

BIO_METHOD* socketBioMethod() {
  static BIO_METHOD* const kMethod = [] {
    BIO_METHOD* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stratos socket");
    if (method == nullptr) throw Error(ErrorCode::Internal, "OpenSSL cannot make a BIO");
    BIO_meth_set_write(method, bioWrite);
    BIO_meth_set_read(method, bioRead);
    BIO_meth_set_ctrl(method, bioControl);
    return method;
  }();
  return kMethod;
}

/// Where the sessions of a connection go.
int sessionsIndex() {
  static const int kIndex = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return kIndex;
}

int keepSession(SSL* ssl, SSL_SESSION* session) {
  auto* const sessions = static_cast<TlsSessions*>(SSL_get_ex_data(ssl, sessionsIndex()));
  if (sessions == nullptr) return 0;
  try {
    sessions->put(TlsSessions::Ptr(session));
  } catch (const std::bad_alloc&) {
    // Freed; the next connection does without.
  }
  return 1;  // The reference is ours now.
}

void addCertificates(SSL_CTX* context, const std::string& pem) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  std::size_t added = 0;
  while (X509* certificate = PEM_read_bio_X509_AUX(bio.get(), nullptr, nullptr, nullptr)) {
    if (X509_STORE_add_cert(store, certificate) == 1) ++added;
    X509_free(certificate);
  }
  ERR_clear_error();
  if (added == 0) {
    throw Error(ErrorCode::InvalidArgument, "the CA certificate is not a PEM certificate");
  }
  // An intermediate or the server's own certificate is as good an anchor as a root, as in Go.
  X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
}

/// The key stays out of whatever is thrown and logged: OpenSSL's reasons do not quote it.
void showIdentity(SSL_CTX* context, const ClientIdentity& identity) {
  const auto open = [](const std::string& pem) {
    return std::unique_ptr<BIO, decltype(&BIO_free)>(
        BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
  };
  const auto fail = [](const char* what) {
    ERR_clear_error();
    throw Error(ErrorCode::InvalidArgument, what);
  };
  const auto chain = open(identity.certificatePem);
  bool isFirst = true;
  while (X509* certificate = PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr)) {
    const bool isTaken = isFirst ? SSL_CTX_use_certificate(context, certificate) == 1
                                 : SSL_CTX_add1_chain_cert(context, certificate) == 1;
    X509_free(certificate);
    if (!isTaken) fail("the client certificate cannot be used");
    isFirst = false;
  }
  if (isFirst) fail("the client certificate is not a PEM certificate");
  // An encrypted key is refused: without this, OpenSSL would ask for its password on the terminal.
  const auto noPassword = [](char*, int, int, void*) { return -1; };
  EVP_PKEY* key =
      PEM_read_bio_PrivateKey(open(identity.keyPem.reveal()).get(), nullptr, noPassword, nullptr);
  if (key == nullptr) fail("the client certificate's key is not a PEM private key");
  const bool isTaken = SSL_CTX_use_PrivateKey(context, key) == 1;
  EVP_PKEY_free(key);
  if (!isTaken || SSL_CTX_check_private_key(context) != 1) {
    fail("the client certificate and its key do not belong together");
  }
  ERR_clear_error();  // The end of the chain counts as one.
}

Poco::Net::Context::Ptr makeContext(const TrustPolicy& trust) {
  try {
    Poco::Net::Context::Params params;
    params.verificationMode = trust.skipVerification ? Poco::Net::Context::VERIFY_NONE
                                                     : Poco::Net::Context::VERIFY_RELAXED;
    params.loadDefaultCAs = true;
    Poco::Net::Context::Ptr context =
        new Poco::Net::Context(Poco::Net::Context::TLS_CLIENT_USE, params);
    SSL_CTX* raw = context->sslContext();
    // Without Poco's callback, which asks a process-wide manager what to do.
    SSL_CTX_set_verify(raw, trust.skipVerification ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
    SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(raw, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(raw,
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    SSL_CTX_sess_set_new_cb(raw, keepSession);
    if (!trust.caCertificatePem.empty()) addCertificates(raw, trust.caCertificatePem);
    if (!trust.identity.empty()) showIdentity(raw, trust.identity);
    return context;
  } catch (const Poco::Exception& e) {
    throw Error(ErrorCode::Internal, "TLS cannot be set up: " + e.displayText());
  }
}

std::string verificationMessage(long result) {
  switch (result) {
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_UNTRUSTED:
      return "x509: certificate signed by unknown authority";
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "x509: certificate has expired or is not yet valid";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return "x509: certificate is valid for another name";
    default:
      return std::string("x509: ") + X509_verify_cert_error_string(result);
  }
}

}  // namespace

Poco::Net::Context::Ptr TlsContexts::get(const TrustPolicy& trust) {
  {
    const MutexLock lock(mutex_);
    const auto it = contexts_.find(trust);
    if (it != contexts_.end()) return it->second;
  }
  Poco::Net::Context::Ptr made = makeContext(trust);
  const MutexLock lock(mutex_);
  if (contexts_.size() >= kContextLimit) contexts_.clear();
  return contexts_.try_emplace(trust, std::move(made)).first->second;
}

void TlsSessions::put(Ptr session) {
  const MutexLock lock(mutex_);
  if (sessions_.size() >= kSessionsPerOrigin) sessions_.erase(sessions_.begin());
  sessions_.push_back(std::move(session));
}

TlsSessions::Ptr TlsSessions::take() {
  const MutexLock lock(mutex_);
  while (!sessions_.empty()) {
    Ptr latest = std::move(sessions_.back());
    sessions_.pop_back();
    if (SSL_SESSION_is_resumable(latest.get()) == 1) return latest;
  }
  return nullptr;
}

Connection::~Connection() {
  // Says goodbye if that is possible without waiting.
  if (ssl_ && established_ && failure_.kind == TransportFailure::None) {
    SSL_shutdown(ssl_.get());
    ERR_clear_error();
  }
}

bool Connection::fail(TransportFailure kind, std::string detail) {
  failure_ = {kind, std::move(detail)};
  return false;
}

bool Connection::timeOut(const char* what) {
  return fail(TransportFailure::TimedOut, std::string(what) + " took too long");
}

short Connection::wait(short events, Deadline deadline, const char* what) {
  // Errors and hang-ups are reported by the read or write that follows.
  const short ready = awaitReady(file_, events, deadline);
  if (ready == 0) {
    timeOut(what);
  } else if (ready == kWaitCancelled) {
    fail(TransportFailure::Cancelled, "nobody waits for the answer any more");
    return 0;
  }
  return ready;
}

bool Connection::open(const std::string& host, std::uint16_t port, Deadline deadline,
                      const AddressPolicy* policy) {
  std::vector<Poco::Net::SocketAddress> addresses;
  try {
    if (isIpAddress(host)) {
      addresses.emplace_back(Poco::Net::IPAddress(host), port);
    } else {
      const Poco::Net::HostEntry entry =
          runBlocking([&] { return Poco::Net::DNS::hostByName(host); }, Waiter::BlocksOn::Network);
      for (const Poco::Net::IPAddress& address : entry.addresses()) {
        addresses.emplace_back(address, port);
      }
    }
  } catch (const Poco::Exception& e) {
    return fail(TransportFailure::Refused, "cannot resolve " + host + ": " + e.displayText());
  } catch (const Error& e) {
    return fail(TransportFailure::TimedOut, "cannot resolve " + host + ": " + e.what());
  }
  fail(TransportFailure::Refused, "cannot resolve " + host + ": it has no address");
  if (policy != nullptr) {
    std::erase_if(addresses, [&](const Poco::Net::SocketAddress& address) {
      const std::string text = addressText(address.host());
      const auto refusal = policy->refusal(text);
      if (!refusal) return false;
      fail(TransportFailure::Forbidden, AddressPolicy::describe(host, text, *refusal));
      return true;
    });
  }
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    if (deadline.hasPassed()) return timeOut("connecting");
    // An address that swallows packets must not use up the time of the ones behind it.
    const auto left = static_cast<std::int64_t>(addresses.size() - i);
    const Deadline share =
        left == 1 ? deadline : earliest(deadline, Deadline::after(deadline.remaining() / left));
    if (connectTo(addresses[i], share)) {
      failure_ = {};
      return true;
    }
  }
  return false;
}

bool Connection::connectTo(const Poco::Net::SocketAddress& address, Deadline deadline) {
  const auto refused = [&](const std::string& why) {
    return fail(TransportFailure::Refused, "cannot connect to " + address.toString() + ": " + why);
  };
  try {
    socket_ = Poco::Net::StreamSocket();
    socket_.connectNB(address);
    fd_ = socket_.impl()->sockfd();
    file_ = Waitable::numbered(fd_);
    ::fcntl(fd_, F_SETFD, FD_CLOEXEC);
    if (wait(POLLOUT, deadline, "connecting") == 0) return false;
    if (const int error = socket_.impl()->socketError(); error != 0) {
      return refused(systemMessage(error));
    }
    socket_.setNoDelay(true);
    return true;
  } catch (const Poco::Exception& e) {
    return refused(e.displayText());
  }
}

bool Connection::startTls(const Poco::Net::Context::Ptr& context, const std::string& host,
                          Deadline deadline, std::shared_ptr<TlsSessions> sessions) {
  ERR_clear_error();
  context_ = context;
  ssl_.reset(SSL_new(context->sslContext()));
  BIO* bio = ssl_ ? BIO_new(socketBioMethod()) : nullptr;
  if (bio == nullptr) return fail(TransportFailure::Tls, "TLS cannot be set up");
  BIO_set_data(bio, &fd_);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  X509_VERIFY_PARAM* verify = SSL_get0_param(ssl_.get());
  bool prepared = false;
  if (isIpAddress(host)) {
    prepared = X509_VERIFY_PARAM_set1_ip_asc(verify, host.c_str()) == 1;
  } else {
    // No trailing dot: neither SNI (RFC 6066 section 3) nor certificates have it.
    std::string name = host;
    if (name.ends_with('.')) name.pop_back();
    X509_VERIFY_PARAM_set_hostflags(verify, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    prepared = X509_VERIFY_PARAM_set1_host(verify, name.c_str(), name.size()) == 1 &&
               SSL_ctrl(ssl_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                        name.data()) == 1;
  }
  if (!prepared) return fail(TransportFailure::Tls, "TLS cannot be set up for this host");
  SSL_set_connect_state(ssl_.get());
  sessions_ = std::move(sessions);
  SSL_set_ex_data(ssl_.get(), sessionsIndex(), sessions_.get());
  const TlsSessions::Ptr earlier = sessions_ ? sessions_->take() : nullptr;
  if (earlier) SSL_set_session(ssl_.get(), earlier.get());
  for (;;) {
    ERR_clear_error();
    const Status status = tlsStatus(SSL_do_handshake(ssl_.get()));
    if (status == Status::Done) {
      established_ = true;
      // Before TLS 1.3 a session serves again and again, and the peer need not send another one.
      if (sessions_ && SSL_session_reused(ssl_.get()) == 1 && SSL_version(ssl_.get()) < TLS1_3_VERSION) {
        sessions_->put(TlsSessions::Ptr(SSL_get1_session(ssl_.get())));
      }
      return true;
    }
    if (status != Status::WouldBlock) {
      failTls();
      return false;
    }
    if (wait(wanted_, deadline, "the TLS handshake") == 0) return false;
  }
}

void Connection::failTls() {
  if (const long result = SSL_get_verify_result(ssl_.get()); result != X509_V_OK) {
    fail(TransportFailure::Tls, verificationMessage(result));
    return;
  }
  const unsigned long code = ERR_peek_last_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  ERR_clear_error();
  fail(TransportFailure::Tls, std::string("the TLS handshake failed: ") +
                                  (reason != nullptr ? reason : "the peer closed the connection"));
}

Connection::Status Connection::tlsStatus(int result) {
  if (result == 1) return Status::Done;
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      wanted_ = POLLIN;
      return Status::WouldBlock;
    case SSL_ERROR_WANT_WRITE:
      wanted_ = POLLOUT;
      return Status::WouldBlock;
    case SSL_ERROR_ZERO_RETURN:
      return Status::End;
    default:
      // Also the end of the stream without close_notify, which may be a truncation.
      fail(TransportFailure::Broken, "the TLS connection broke");
      return Status::Failed;
  }
}

Connection::Status Connection::tryRead(char* buffer, std::size_t capacity, std::size_t& count) {
  if (ssl_) {
    ERR_clear_error();
    return tlsStatus(SSL_read_ex(ssl_.get(), buffer, capacity, &count));
  }
  ssize_t received = 0;
  do {
    received = ::recv(fd_, buffer, capacity, 0);
  } while (received < 0 && errno == EINTR);
  if (received > 0) {
    count = static_cast<std::size_t>(received);
    drained_ = count < capacity;
    return Status::Done;
  }
  if (received == 0) return Status::End;
  if (errno == EAGAIN) {
    drained_ = true;
    wanted_ = POLLIN;
    return Status::WouldBlock;
  }
  fail(TransportFailure::Broken, "reading failed: " + systemMessage(errno));
  return Status::Failed;
}

Connection::Status Connection::tryWrite(std::string_view data, std::size_t& count) {
  if (ssl_) {
    ERR_clear_error();
    const Status status = tlsStatus(SSL_write_ex(ssl_.get(), data.data(), data.size(), &count));
    if (status != Status::End) return status;
    fail(TransportFailure::Broken, "the peer closed the connection");
    return Status::Failed;
  }
  ssize_t sent = 0;
  do {
    sent = ::send(fd_, data.data(), data.size(), MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent >= 0) {
    count = static_cast<std::size_t>(sent);
    return Status::Done;
  }
  if (errno == EAGAIN) {
    wanted_ = POLLOUT;
    return Status::WouldBlock;
  }
  fail(TransportFailure::Broken, "writing failed: " + systemMessage(errno));
  return Status::Failed;
}

Connection::Status Connection::read(char* buffer, std::size_t capacity, std::size_t& count,
                                    Deadline deadline) {
  for (;;) {
    // Checked first too: a peer that always has a byte ready must not outrun the deadline.
    if (deadline.hasPassed()) {
      timeOut(kAnswer);
      return Status::Failed;
    }
    if (!std::exchange(answerIsLate_, false)) {
      const Status status = tryRead(buffer, capacity, count);
      if (status != Status::WouldBlock) return status;
    } else {
      wanted_ = POLLIN;
    }
    if (wait(wanted_, deadline, kAnswer) == 0) return Status::Failed;
  }
}

Connection::Status Connection::write(std::string_view data, Deadline deadline) {
  while (!data.empty()) {
    std::size_t count = 0;
    const Status status = tryWrite(data, count);
    if (status == Status::Failed) return status;
    if (status == Status::Done) {
      data.remove_prefix(count);
    } else if (wait(wanted_, deadline, "sending the request") == 0) {
      return Status::Failed;
    }
  }
  return Status::Done;
}

bool Connection::isQuiet(bool atOnce) {
  const Waiter* const waiter = Waiter::current();
  // What TLS has not read yet, nobody knows.
  if (!atOnce && drained_ && !ssl_ && waiter != nullptr && !waiter->mayHaveInput(file_)) {
    return true;
  }
  char byte = 0;
  if (ssl_) {
    // Lets OpenSSL take session tickets, which come unasked and mean nothing here.
    ERR_clear_error();
    std::size_t count = 0;
    return tlsStatus(SSL_peek_ex(ssl_.get(), &byte, 1, &count)) == Status::WouldBlock;
  }
  return ::recv(fd_, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

}  // namespace stratos::http::detail
