#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "console/identity.hpp"
#include "stratos/auth/jwt_verifier.hpp"
#include "stratos/auth/login_service.hpp"
#include "stratos/auth/login_throttle.hpp"
#include "stratos/auth/token_provider.hpp"
#include "stratos/auth/uaa_client.hpp"
#include "stratos/auth/uaa_token_check.hpp"
#include "stratos/base/worker_pool.hpp"
#include "stratos/console/console.hpp"
#include "stratos/console/extension.hpp"
#include "stratos/endpoint/connector.hpp"
#include "stratos/endpoint/endpoint_registry.hpp"
#include "stratos/proxy/forwarder.hpp"
#include "stratos/proxy/proxy_service.hpp"
#include "stratos/session/session_manager.hpp"
#include "stratos/store/api_key_store.hpp"
#include "stratos/store/cached_stores.hpp"
#include "stratos/store/endpoint_store.hpp"
#include "stratos/store/session_store.hpp"
#include "stratos/store/token_lease_store.hpp"
#include "stratos/store/token_store.hpp"
#include "stratos/store/user_store.hpp"

namespace stratos::console {

/// The object graph of a console, in the order in which it is built; it dies in reverse order.
struct Services {
  Services(ConsoleOptions consoleOptions, ConsoleEnvironment environment);
  ~Services();
  Services(const Services&) = delete;
  Services& operator=(const Services&) = delete;

  const ConsoleOptions options;
  ConsoleEnvironment env;

  store::SqlEndpointStore sqlEndpoints;
  store::SqlTokenStore sqlTokens;
  store::SqlSessionStore sqlSessions;
  store::CachedStores caches;
  store::EndpointStore& endpointStore;
  store::TokenStore& tokenStore;
  store::SessionStore& sessionStore;
  store::SqlLocalUserStore userStore;
  store::ApiKeyStore apiKeys;
  store::SignInFailureStore signInFailures;
  auth::LoginThrottle throttle;

  auth::UaaClient uaaClient;
  auth::JwtVerifier jwtVerifier;
  auth::UaaTokenCheck uaaTokenCheck;
  store::SqlTokenLeaseStore tokenLeases;
  auth::TokenProvider tokenProvider;
  session::SessionManager sessions;
  IdentitySlot identitySlot;

  endpoint::EndpointRegistry registry;
  endpoint::Connector connector;

  proxy::CircuitBreaker breaker;
  proxy::Forwarder forwarder;
  std::unique_ptr<WorkerPool> workers;
  proxy::ProxyService proxy;

  std::vector<std::string> plugins;  ///< Names of the attached extensions, sorted.
  std::vector<InfoContribution> contributions;
  std::vector<std::function<void(const SignInEvent&, Deadline)>> signInHooks;
  std::vector<http::Middleware> extensionSteps;
  /// A peer that is no trusted proxy named a client; said once.
  std::atomic<bool> strangeProxySeen = false;

  std::atomic<std::uint64_t> requestIdState;

  std::unique_ptr<store::ChangeListener> changeListener;  ///< Null: nobody tells.

  /// Different for each request and hard to confuse with those of other processes; no secret.
  [[nodiscard]] std::uint64_t nextRequestId() noexcept;

  /// How users sign in now. Throws Error(Unavailable) in set-up mode.
  [[nodiscard]] std::shared_ptr<const Identity> identity() const;
};

}  // namespace stratos::console
