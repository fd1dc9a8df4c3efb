#pragma once

#include <set>
#include <string>
#include <utility>

#include "stratos/auth/single_sign_on.hpp"
#include "stratos/base/deadline.hpp"
#include "stratos/base/export.hpp"
#include "stratos/base/ids.hpp"
#include "stratos/base/log.hpp"
#include "stratos/base/secret.hpp"
#include "stratos/endpoint/endpoint_registry.hpp"
#include "stratos/http/form.hpp"
#include "stratos/store/token_store.hpp"

namespace stratos::endpoint {

/// What became of a user's wish to connect or disconnect.
struct ConnectionChange {
  bool done = false;
  int status = 400;        ///< For the browser, when not done.
  std::string message;     ///< For the browser, when not done.
  bool plainText = false;  ///< The wire has this refusal as bare text instead of a JSON error.
  store::EndpointRecord endpoint;  ///< Valid when a connection was made.
  store::TokenRecord token;        ///< As stored; valid when a connection was made.
};

/// Connects users to endpoints and disconnects them.
///
/// Thread safety: all members may be called concurrently. The collaborators must outlive it.
class STRATOS_EXPORT Connector {
 public:
  Connector(EndpointRegistry& registry, store::TokenStore& tokens, LogSink& log);

  /// Trades the credentials in `form` for a token and stores it for the caller, or for everybody
  /// when `shared` (administrators only). A failed attempt never touches a working connection.
  [[nodiscard]] ConnectionChange connect(const Caller& caller, const EndpointId& id,
                                         const http::FormParameters& form, bool shared,
                                         Deadline deadline);
  /// Where the caller's browser goes to connect by single sign-on.
  struct SignInPage {
    std::string url;           ///< Empty when there is none.
    ConnectionChange refusal;  ///< Valid then.
  };
  [[nodiscard]] SignInPage beginSignIn(const Caller& caller, const EndpointId& id,
                                       const auth::SsoFlow& flow);
  /// Ends it: as connect(), with what the browser brought back.
  [[nodiscard]] ConnectionChange endSignIn(const Caller& caller, const EndpointId& id,
                                           const Secret& code, const auth::SsoFlow& flow,
                                           Deadline deadline);

  /// Disconnecting from this endpoint is remembered, see TokenStore::markDisconnected(). Belongs to
  /// the set-up, before the first request.
  void rememberDisconnects(EndpointId id) { remembered_.insert(std::move(id)); }

  /// Removes the caller's token; a shared one only for administrators.
  [[nodiscard]] ConnectionChange disconnect(const Caller& caller, const EndpointId& id);

 private:
  /// The endpoint and its type, or why the caller may not connect to it.
  struct Target {
    EndpointType* type = nullptr;  ///< Null when refused.
    store::EndpointRecord endpoint;
    ConnectionChange refusal;
  };
  [[nodiscard]] Target findTarget(const Caller& caller, const EndpointId& id, bool shared) const;
  [[nodiscard]] Target findSignIn(const Caller& caller, const EndpointId& id) const;
  [[nodiscard]] ConnectionChange store(const Caller& caller, Target target, ConnectResult result,
                                       bool shared);
  void clearRivals(const Caller& caller, const store::EndpointRecord& endpoint);

  EndpointRegistry& registry_;
  store::TokenStore& tokens_;
  LogSink& log_;
  std::set<EndpointId> remembered_;
};

}  // namespace stratos::endpoint
