#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "stratos/auth/token_provider.hpp"
#include "stratos/base/deadline.hpp"
#include "stratos/base/export.hpp"
#include "stratos/base/log.hpp"
#include "stratos/http/message.hpp"
#include "stratos/http/transport.hpp"
#include "stratos/proxy/circuit_breaker.hpp"
#include "stratos/store/endpoint_store.hpp"

namespace stratos::proxy {

/// Total time of a proxied call by its kind; zero means no limit.
struct ProxyTimeouts {
  std::chrono::seconds reading{30};  ///< GET and HEAD
  std::chrono::seconds mutating{120};
  std::chrono::seconds longRunning{600};
};

/// One call of one endpoint. Everything is resolved but the token.
struct ForwardRequest {
  store::EndpointRecord endpoint;
  UserId user;
  std::string method;
  Url url;                ///< Where it goes; of the endpoint's own origin or its override.
  http::Headers headers;  ///< After requestHeaders().
  http::Body body;
  bool withoutToken = false;
  Deadline deadline = Deadline::never();
};

enum class ForwardStatus {
  Answered,      ///< `response` is what the endpoint said, whatever its status.
  NotConnected,  ///< The user has no token for the endpoint.
  TokenFailed,   ///< There is one, but it cannot be renewed, or the endpoint refused a fresh one.
  TransportFailed,
  HeldBack,  ///< The circuit breaker did not let it through.
};

/// What became of a call. Whatever an endpoint does is ordinary traffic, so it is a value.
struct ForwardResult {
  ForwardStatus status = ForwardStatus::TransportFailed;
  http::TransportFailure failure = http::TransportFailure::None;
  std::string reason;  ///< For the browser: short, without hosts and addresses.
  http::ClientResponse response;
};

struct ForwarderOptions {
  /// A request body up to this size is kept for the one retry after a 401; a larger one is sent
  /// once.
  std::size_t replayLimitBytes = 1024 * 1024;
};

/// Sends a call to an endpoint with the user's token: gets it, adds it, renews it once when the
/// endpoint answers 401, and streams the answer.
///
/// Waits as stratos/base/waiting.hpp does: on a thread, or on a fiber that lets others run.
/// Thread safety: all members may be called concurrently. The collaborators must outlive it.
class STRATOS_EXPORT Forwarder {
 public:
  /// `breaker` may be null: every call is made.
  Forwarder(http::Transport& transport, auth::TokenProvider& tokens, LogSink& log,
            ForwarderOptions options = {}, CircuitBreaker* breaker = nullptr);

  /// Never throws for what the endpoint or its authorization server does. Throws Error(Unavailable)
  /// when the database cannot be asked, and what reading the browser's body throws.
  [[nodiscard]] ForwardResult forward(ForwardRequest request);

 private:
  http::Transport& transport_;
  auth::TokenProvider& tokens_;
  LogSink& log_;
  ForwarderOptions options_;
  CircuitBreaker* breaker_;
};

}  // namespace stratos::proxy
