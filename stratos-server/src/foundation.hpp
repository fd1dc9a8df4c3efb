#pragma once

#include <stop_token>
#include <string>

#include "settings.hpp"
#include "stratos/auth/uaa_client.hpp"
#include "stratos/base/log.hpp"
#include "stratos/http/transport.hpp"

namespace stratos::server {

/// What an application on Cloud Foundry knows of the foundation that it runs on. A value.
struct Foundation {
  std::string apiUrl;
  std::string applicationGuid;
  std::string spaceGuid;
  http::TrustPolicy trust;
};

/// From VCAP_APPLICATION, CF_API_URL and CF_API_FORCE_SECURE. Throws Error(InvalidArgument) that
/// names the setting when there is no usable address.
[[nodiscard]] Foundation loadFoundation(const Settings& settings);

/// The authorization servers of a foundation.
struct FoundationServers {
  std::string authorizationEndpoint;
  std::string uaaUrl;
};

/// Asks the foundation until it answers: an application must not fail because its platform is busy.
/// Throws Error(Cancelled) when `stop` was requested.
[[nodiscard]] FoundationServers awaitFoundation(const Foundation& foundation,
                                                http::Transport& transport, LogSink& log,
                                                const std::stop_token& stop);

}  // namespace stratos::server
