#pragma once

#include <memory>
#include <string>
#include <vector>

#include "stratos/auth/login_service.hpp"
#include "stratos/auth/token_provider.hpp"
#include "stratos/auth/uaa_client.hpp"
#include "stratos/base/worker_pool.hpp"
#include "stratos/console/console.hpp"
#include "stratos/endpoint/connector.hpp"
#include "stratos/endpoint/endpoint_registry.hpp"
#include "stratos/proxy/forwarder.hpp"
#include "stratos/proxy/proxy_service.hpp"
#include "stratos/session/session_manager.hpp"
#include "stratos/store/endpoint_store.hpp"
#include "stratos/store/session_store.hpp"
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

  store::SqlEndpointStore endpointStore;
  store::SqlTokenStore tokenStore;
  store::SqlSessionStore sessionStore;
  store::SqlLocalUserStore userStore;

  auth::UaaClient uaaClient;
  auth::TokenProvider tokenProvider;
  session::SessionManager sessions;
  std::unique_ptr<auth::LoginService> login;

  endpoint::EndpointRegistry registry;
  endpoint::Connector connector;

  proxy::Forwarder forwarder;
  std::unique_ptr<WorkerPool> workers;
  proxy::ProxyService proxy;

  std::vector<std::string> plugins;  ///< Names of the attached extensions, sorted.
};

}  // namespace stratos::console
