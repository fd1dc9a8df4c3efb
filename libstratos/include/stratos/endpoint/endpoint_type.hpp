#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "stratos/auth/connected_user.hpp"
#include "stratos/auth/single_sign_on.hpp"
#include "stratos/base/deadline.hpp"
#include "stratos/base/export.hpp"
#include "stratos/http/form.hpp"
#include "stratos/store/endpoint_store.hpp"
#include "stratos/store/token_store.hpp"

namespace stratos::endpoint {

enum class ProbeStatus {
  Accepted,
  TlsFailure,   ///< The certificate was not acceptable; the user may add a CA or skip the check.
  NotThatKind,  ///< Something answered, but it is no endpoint of this type.
  Unreachable,
};

/// What an endpoint says of itself when it is registered.
struct ProbeResult {
  ProbeStatus status = ProbeStatus::Unreachable;
  std::string detail;  ///< For the user, when not accepted.
  std::string authorizationEndpoint;
  std::string tokenEndpoint;
  std::string dopplerLoggingEndpoint;
};

/// What became of a user's attempt to connect.
struct ConnectResult {
  bool connected = false;
  int status = 400;          ///< For the browser, when not connected.
  std::string message;       ///< For the browser, when not connected.
  store::TokenRecord token;  ///< Without owner and endpoint: the caller fills them in.
};

/// One kind of endpoint. Implementations must be callable from any thread.
class STRATOS_EXPORT EndpointType {
 public:
  virtual ~EndpointType() = default;
  /// The name on the wire and in the database, at most 16 characters.
  [[nodiscard]] virtual std::string_view name() const noexcept = 0;
  /// Finds out whether `candidate` (not stored yet) is such an endpoint. Never throws for what the
  /// endpoint does.
  [[nodiscard]] virtual ProbeResult probe(const store::EndpointRecord& candidate,
                                          Deadline deadline) = 0;
  /// Trades the credentials in `form` for a token. Never throws for what the endpoint does.
  [[nodiscard]] virtual ConnectResult connect(const store::EndpointRecord& endpoint,
                                              const http::FormParameters& form,
                                              Deadline deadline) = 0;

  /// Where a browser signs in to connect, for types that have single sign-on; the default has none.
  [[nodiscard]] virtual std::optional<std::string> authorizeUrl(
      const store::EndpointRecord& endpoint, const auth::SsoFlow& flow) const;
  /// Trades the code that such a sign-in ended with for a token; as connect() otherwise.
  [[nodiscard]] virtual ConnectResult redeem(const store::EndpointRecord& endpoint,
                                             const Secret& code, const auth::SsoFlow& flow,
                                             Deadline deadline);
};

}  // namespace stratos::endpoint
