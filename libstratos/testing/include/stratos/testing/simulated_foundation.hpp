#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "stratos/testing/fake_cloud_controller.hpp"
#include "stratos/testing/fake_uaa.hpp"
#include "stratos/testing/manual_clock.hpp"
#include "stratos/testing/test_certificates.hpp"

namespace stratos::testing {

struct SimulatedFoundationOptions {
  std::string host = "127.0.0.1";
  bool tls = true;
  std::uint16_t apiPort = 0;
  std::uint16_t uaaPort = 0;
  std::uint16_t controlPort = 0;
  RefreshMode refreshMode = RefreshMode::Keep;
  bool opaqueAccessTokens = false;
  std::chrono::seconds accessTokenValidity{600};
  std::size_t apps = 2000;
  bool v2 = true;
  /// The time of the foundation; null: its own clock, which runs with the system's.
  ManualClock* clock = nullptr;
};

/// A small Cloud Foundry: UAA and Cloud Controller that know each other, and a control API on a
/// listener of its own (plain HTTP).
///
/// Users: admin/admin (administrator) and user/user. Clients: `cf` with an empty secret, `console`
/// with the secret `consolesecret`.
///
/// Control API, JSON in and out:
///  - `POST /sim/clock` {"advanceSeconds":N}
///  - `POST /sim/fault` {"server":"api"|"uaa","kind":"status","pathPrefix":"/v3","times":1,
///    "method":"","delayMs":0,"status":500,"body":"","contentType":"","retryAfterSeconds":1}; the
///    kinds are the names of FaultKind in lower case with dashes ("too-many-requests")
///  - `POST /sim/clear-faults`, `POST /sim/release`
///  - `POST /sim/revoke-access-tokens`, `/sim/revoke-refresh-tokens`, `/sim/expire-access-tokens`
///  - `POST /sim/rotate-keys`, `POST /sim/refresh-mode`
///  {"mode":"keep"|"rotate"|"rotate-once"|"omit"}
///  - `POST /sim/v2` {"enabled":bool}
///  - `POST /sim/fail-next-job` {"detail":""}
///  - `POST /sim/log` {"app":GUID,"text":"","stream":"out"|"err","instance":0}: one more log line
///  - `GET /sim/state`: addresses, time and counters
///
/// Thread safety: all members may be called concurrently.
class STRATOS_EXPORT SimulatedFoundation {
 public:
  /// Starts everything. Throws Error(Unavailable) when a port is taken.
  explicit SimulatedFoundation(SimulatedFoundationOptions options = {});
  ~SimulatedFoundation();
  SimulatedFoundation(const SimulatedFoundation&) = delete;
  SimulatedFoundation& operator=(const SimulatedFoundation&) = delete;

  [[nodiscard]] FakeUaa& uaa() noexcept;
  [[nodiscard]] FakeCloudController& cloudController() noexcept;
  [[nodiscard]] ManualClock& clock() noexcept;
  [[nodiscard]] const TestCertificates& certificates() const noexcept;

  [[nodiscard]] const std::string& apiUrl() const noexcept;
  [[nodiscard]] const std::string& uaaUrl() const noexcept;
  [[nodiscard]] const std::string& controlUrl() const noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// "keep", "rotate", "rotate-once" or "omit"; throws Error(InvalidArgument) for anything else.
[[nodiscard]] STRATOS_EXPORT RefreshMode parseRefreshMode(std::string_view text);
/// "delay", "close-before-answer", ...; throws Error(InvalidArgument) for anything else.
[[nodiscard]] STRATOS_EXPORT FaultKind parseFaultKind(std::string_view text);

}  // namespace stratos::testing
