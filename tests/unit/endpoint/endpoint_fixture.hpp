#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "stratos/endpoint/endpoint_registry.hpp"

namespace stratos::test {

/// A kind of endpoint that says what the test tells it to.
class FakeType final : public endpoint::EndpointType {
 public:
  struct Script {
    endpoint::ProbeResult probe{.status = endpoint::ProbeStatus::Accepted,
                                .detail = {},
                                .authorizationEndpoint = "https://login.x",
                                .tokenEndpoint = "https://uaa.x",
                                .dopplerLoggingEndpoint = "wss://doppler.x"};
    endpoint::ConnectResult connect;
    int probes = 0;
    store::EndpointRecord probed;
    int connects = 0;
  };

  FakeType(std::string name, Script& script) : name_(std::move(name)), script_(script) {}

  [[nodiscard]] std::string_view name() const noexcept override { return name_; }
  [[nodiscard]] endpoint::ProbeResult probe(const store::EndpointRecord& candidate,
                                            Deadline) override {
    ++script_.probes;
    script_.probed = candidate;
    return script_.probe;
  }
  [[nodiscard]] endpoint::ConnectResult connect(const store::EndpointRecord&,
                                                const http::FormParameters&, Deadline) override {
    ++script_.connects;
    return script_.connect;
  }

 private:
  std::string name_;
  Script& script_;
};

inline endpoint::Caller userCalled(const std::string& id) {
  return {.user = UserId{id}, .isAdmin = [] { return false; }};
}
inline endpoint::Caller adminCalled(const std::string& id) {
  return {.user = UserId{id}, .isAdmin = [] { return true; }};
}

}  // namespace stratos::test
