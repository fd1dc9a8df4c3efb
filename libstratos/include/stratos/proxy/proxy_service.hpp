#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "stratos/base/export.hpp"
#include "stratos/base/worker_pool.hpp"
#include "stratos/endpoint/endpoint_registry.hpp"
#include "stratos/http/message.hpp"
#include "stratos/proxy/forwarder.hpp"

namespace stratos::proxy {

struct ProxyOptions {
  ProxyTimeouts timeouts;
  /// After this time a long-running call of `/pp/v1/proxy` is answered while it goes on.
  std::chrono::milliseconds longRunningAnswer{30'000};
  /// Largest body of one endpoint in a fan-out, and largest request body of a fan-out.
  std::size_t fanOutBodyLimitBytes = 32 * 1024 * 1024;
  std::size_t fanOutRequestLimitBytes = 16 * 1024 * 1024;
  /// What the bodies of one fan-out may take together: with many endpoints each gets less.
  std::size_t fanOutTotalLimitBytes = 64 * 1024 * 1024;
  /// What the bodies of all fan-outs of this process may take together, from the endpoints' first
  /// byte to the browser's last. What does not fit is an error of its endpoint.
  std::size_t fanOutBudgetBytes = 128 * 1024 * 1024;
  std::size_t maxEndpointsPerRequest = 64;
};

/// The two proxy routes.
///
/// Thread safety: all members may be called concurrently. The collaborators must outlive it; calls
/// that outlive their request run on `workers`, which must be stopped first.
class STRATOS_EXPORT ProxyService {
 public:
  ProxyService(endpoint::EndpointRegistry& registry, Forwarder& forwarder, WorkerPool& workers,
               ProxyOptions options = {});
  ~ProxyService();
  ProxyService(const ProxyService&) = delete;
  ProxyService& operator=(const ProxyService&) = delete;

  /// `/pp/v1/proxy/*`: the endpoints of x-cap-cnsi-list, as a map or passed through.
  [[nodiscard]] http::Response handleList(http::Request& request, const endpoint::Caller& caller);
  /// `/api/v1/proxy/:uuid/*`: one endpoint, passed through.
  [[nodiscard]] http::Response handleSingle(http::Request& request, const endpoint::Caller& caller);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stratos::proxy
