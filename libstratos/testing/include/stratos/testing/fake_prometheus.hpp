#pragma once

#include <memory>
#include <string>

#include "stratos/base/export.hpp"
#include "stratos/testing/fake_upstream.hpp"

namespace stratos::testing {

struct FakePrometheusOptions {
  std::string user = {};  ///< Asks for HTTP Basic when not empty.
  std::string password = {};
  /// What `/stratos` answers, as Stratos Metrics does; empty: 404, as Prometheus does.
  std::string description = {};
  /// Label `environment` of the firehose's series; empty: there is no such series.
  std::string environment = {};
  FakeUpstreamOptions server = {};
};

/// A Prometheus server (https://prometheus.io/docs/prometheus/latest/querying/api/), with or
/// without HTTP Basic in front: `/` leads to `/graph`, the API is `/api/v1/query`,
/// `/api/v1/query_range` and `/api/v1/status/config`.
///
/// Thread safety: all members may be called concurrently.
class STRATOS_EXPORT FakePrometheus {
 public:
  explicit FakePrometheus(FakePrometheusOptions options = {});
  ~FakePrometheus();
  FakePrometheus(const FakePrometheus&) = delete;
  FakePrometheus& operator=(const FakePrometheus&) = delete;

  [[nodiscard]] FakeUpstream& server() noexcept;
  [[nodiscard]] const std::string& url() const noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stratos::testing
