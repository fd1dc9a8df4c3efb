#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "stratos/auth/uaa_client.hpp"
#include "stratos/base/export.hpp"
#include "stratos/base/secret.hpp"
#include "stratos/endpoint/endpoint_registry.hpp"
#include "stratos/proxy/proxy_service.hpp"
#include "stratos/session/session_manager.hpp"

namespace stratos {

/// AUTH_ENDPOINT_TYPE: where console users come from.
enum class AuthType { Local, Remote };

/// Everything a console needs to know, with the defaults that upstream's packages ship. How it is
/// found (environment, files, database) is the program's business.
struct STRATOS_EXPORT ConsoleOptions {
  /// Shown as proxy_version; "dev" when not set.
  std::string version = "dev";

  AuthType authType = AuthType::Local;
  /// Scope that makes a console user an administrator. Never empty.
  std::string adminScope = "stratos.admin";

  /// The first local user, made when it does not exist (only with AuthType::Local).
  std::string localUser;
  Secret localUserPassword;
  std::string localUserScope = "stratos.admin";
  int passwordHashCost = 12;

  /// The UAA of the console (only with AuthType::Remote).
  auth::UaaTarget uaa;

  session::SessionOptions session;

  endpoint::EndpointRegistryOptions endpoints;
  proxy::ProxyOptions proxy;
  proxy::ForwarderOptions forwarder;
  auth::TokenProviderOptions tokens;

  /// CORS origins; `*` and `?` are wildcards. Empty: no CORS at all, the front end is same-origin.
  std::vector<std::string> allowedOrigins;
  /// Sends Strict-Transport-Security with that age; off by default (self-signed hosts).
  std::optional<std::chrono::seconds> hstsMaxAge;
  bool logRequests = true;

  /// Passed to the front end as they are.
  bool enableTechPreview = false;
  std::int64_t listMaxSize = 0;
  bool listAllowLoadMaxed = false;
  std::string apiKeysEnabled = "admin_only";
  bool homeViewShowFavoritesOnly = false;

  /// Threads for fan-outs and calls that outlive their request.
  std::size_t workerThreads = 64;
};

}  // namespace stratos
