#pragma once

#include <chrono>
#include <compare>
#include <memory>
#include <optional>
#include <string>

#include "stratos/base/deadline.hpp"
#include "stratos/base/export.hpp"
#include "stratos/base/secret.hpp"
#include "stratos/base/url.hpp"
#include "stratos/http/address_policy.hpp"
#include "stratos/http/body.hpp"
#include "stratos/http/headers.hpp"

namespace stratos::http {

/// Whom a call shows itself as in the TLS handshake (RFC 8446 section 4.4.2): a certificate chain
/// in PEM and its private key in PEM, not encrypted. Empty: nobody.
struct STRATOS_EXPORT ClientIdentity {
  std::string certificatePem;
  Secret keyPem;

  [[nodiscard]] bool empty() const noexcept { return certificatePem.empty() && keyPem.empty(); }
  friend bool operator==(const ClientIdentity&, const ClientIdentity&) = default;
  /// An order for look-ups.
  friend STRATOS_EXPORT std::strong_ordering operator<=>(const ClientIdentity& a,
                                                         const ClientIdentity& b) noexcept;
};

/// Which certificates a call accepts, which it shows, and whether its address is judged. A value;
/// connections are pooled per (scheme, host, port, trust).
struct TrustPolicy {
  /// Accept any certificate. Only for endpoints that their administrator registered so.
  bool skipVerification = false;
  /// PEM certificates trusted in addition to the system's roots. When set, verification stays on
  /// unless `skipVerification` is set.
  std::string caCertificatePem;
  /// One that cannot be used is a request that cannot be sent.
  ClientIdentity identity = {};
  /// Reach it wherever it is, past the address policy. Only for services that the operator names,
  /// never for what a user registers or a peer points to.
  bool anyAddress = false;

  friend bool operator==(const TrustPolicy&, const TrustPolicy&) = default;
  friend auto operator<=>(const TrustPolicy&, const TrustPolicy&) = default;
};

/// An outgoing call.
struct ClientRequest {
  std::string method = "GET";
  Url url;
  Headers headers;  ///< Host and framing fields are the transport's.
  Body body;
  TrustPolicy trust;
  Deadline deadline = Deadline::never();  ///< For everything up to the last byte of the answer.
};

enum class TransportFailure {
  None,
  Refused,  ///< No connection: unknown host, refused, unreachable.
  Tls,      ///< The certificate or the handshake was not acceptable.
  TimedOut,
  Broken,     ///< The connection ended, or the peer does not speak HTTP.
  Forbidden,  ///< The address policy does not allow that address.
  Cancelled,  ///< The calling flow was cancelled meanwhile (see Waiter).
};

/// What came back. A peer that refuses, stalls or breaks is ordinary traffic, so it is a value.
/// When `failure` is set, `detail` says why for the log and only that is valid.
struct STRATOS_EXPORT ClientResponse {
  TransportFailure failure = TransportFailure::None;
  std::string detail;
  int status = 0;
  std::string reason;
  Headers headers;
  /// Streamed. Reading to the end returns the connection to its pool; dropping it earlier closes
  /// the connection. read() throws Error(Unavailable or DeadlineExceeded) when the peer breaks off.
  Body body;

  [[nodiscard]] bool failed() const noexcept { return failure != TransportFailure::None; }
};

/// The seam to the network. Implementations must be callable from any thread.
class STRATOS_EXPORT Transport {
 public:
  virtual ~Transport() = default;
  /// Sends one request and returns when the head of the final answer is there. Reads a
  /// streamed body and leaves all else as it is, so that it can be sent again. Never throws for
  /// what the peer does; throws Error(InvalidArgument) for a request that cannot be sent.
  [[nodiscard]] virtual ClientResponse exchange(ClientRequest& request) = 0;
  /// The same for a request that is not needed any more.
  [[nodiscard]] ClientResponse send(ClientRequest request) { return exchange(request); }
};

struct PooledTransportOptions {
  std::chrono::milliseconds connectTimeout{10'000};
  /// Longest silence while waiting for the next byte of an answer; the request's deadline also
  /// applies.
  std::chrono::milliseconds idleTimeout{600'000};
  std::size_t maxIdlePerOrigin = 32;
  std::chrono::seconds idleLifetime{90};
  /// Proxies as in the environment: URL of the proxy for http and https targets, and the list of
  /// hosts, domain suffixes, addresses and CIDR ranges that are called directly.
  std::string httpProxy;
  std::string httpsProxy;
  std::string noProxy;
  /// Judges each address right before it is connected to, so a name that resolves differently the
  /// next time gains nothing. The forward proxy itself is not judged. For a call through it only a
  /// target that is an address is: names are resolved by the proxy, which has to judge them.
  AddressPolicy addresses;
};

/// HTTP/1.1 over pooled keep-alive connections, TLS 1.2 and newer with SNI and host name check.
///
/// A request is repeated on a fresh connection only when a reused one turned out to be closed
/// before a single byte of the answer, and only when its body can be sent again. Redirects are not
/// followed here: see followRedirects().
/// Thread safety: all members may be called concurrently.
class STRATOS_EXPORT PooledTransport final : public Transport {
 public:
  explicit PooledTransport(PooledTransportOptions options = {});
  ~PooledTransport() override;

  [[nodiscard]] ClientResponse exchange(ClientRequest& request) override;

  /// Idle connections at this moment, for tests and metrics.
  [[nodiscard]] std::size_t idleConnections() const;
  /// Closes every idle connection.
  void clear();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// exchange() plus up to `limit` redirects (RFC 9110 section 15.4): 301, 302 and 303 turn other methods
/// than GET and HEAD into GET, 307 and 308 repeat the request if its body is in memory.
/// Authorization and Cookie are dropped when the host, the port or the scheme changes; https never
/// leads to http. What another host's address is, is always judged.
[[nodiscard]] STRATOS_EXPORT ClientResponse followRedirects(Transport& transport,
                                                            ClientRequest& request, int limit = 10);
/// The same for a request that is not needed any more.
[[nodiscard]] inline ClientResponse followRedirects(Transport& transport, ClientRequest&& request,
                                                    int limit = 10) {
  return followRedirects(transport, request, limit);
}

}  // namespace stratos::http
