#pragma once

#include <string>
#include <string_view>

#include "stratos/auth/auth_scheme.hpp"
#include "stratos/base/deadline.hpp"
#include "stratos/base/export.hpp"
#include "stratos/endpoint/endpoint_type.hpp"
#include "stratos/http/transport.hpp"
#include "stratos/store/endpoint_store.hpp"

namespace stratos::endpoint {

/// Which certificates every call for an endpoint accepts.
[[nodiscard]] STRATOS_EXPORT http::TrustPolicy trustOf(const store::EndpointRecord& endpoint);

/// What an endpoint answered when it was registered or connected.
struct STRATOS_EXPORT EndpointAnswer {
  http::TransportFailure failure = http::TransportFailure::None;
  std::string problem;  ///< Why there is no answer, for the user; empty when there is one.
  int status = 0;
  std::string contentType;
  std::string body;        ///< Its beginning, when `truncated`.
  bool truncated = false;  ///< The body is longer than what is read of one.

  [[nodiscard]] bool failed() const noexcept { return failure != http::TransportFailure::None; }
};

/// Gets `target` ("/api?limit=1") below the endpoint's address. Redirects are followed, without the
/// credential to other hosts. Never throws for what the endpoint does.
[[nodiscard]] STRATOS_EXPORT EndpointAnswer fetch(http::Transport& transport,
                                                  const store::EndpointRecord& endpoint,
                                                  std::string_view target,
                                                  const auth::Credential& credential,
                                                  Deadline deadline);

/// An accepted endpoint that is its own authorization server.
[[nodiscard]] STRATOS_EXPORT ProbeResult accepted(const store::EndpointRecord& candidate);
[[nodiscard]] STRATOS_EXPORT ProbeResult notThatKind(std::string detail);
/// For an answer that failed().
[[nodiscard]] STRATOS_EXPORT ProbeResult unreachable(const EndpointAnswer& answer);

/// A refusal of the user's attempt: "Could not connect to the endpoint: " and `why`.
[[nodiscard]] STRATOS_EXPORT ConnectResult notConnected(const std::string& why, int status = 400);
[[nodiscard]] STRATOS_EXPORT ConnectResult connected(store::TokenRecord token);

}  // namespace stratos::endpoint
