#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "stratos/testing/fake_uaa.hpp"

namespace stratos::testing {

struct FakeCloudControllerOptions {
  FakeUpstreamOptions server = {};
  std::size_t apps = 2000;
  bool v2 = true;            ///< Serves /v2 and links to it.
  bool rootDocument = true;  ///< Serves GET /.
};

/// A Cloud Controller with generated applications: the v3 API, the part of v2 that the 4.8 front
/// end uses, and an echo below /v3/echo/ and /base/ that reports what arrived.
///
/// What takes its time is a job, which is over when it was looked at twice, or after five seconds.
///
/// Each application has a web process, whose instances take three seconds to start, an environment
/// and audit events of what was done to it. It writes a log line each second while it runs, which
/// Log Cache (`/api/v1/read/{guid}`, at the same address) gives out; at most 1,000 lines are kept
/// of each of 64 applications.
///
/// Everything but the discovery documents asks the FakeUaa about the bearer token. The echo answers
/// without a token too, but refuses a bad one.
///
/// Thread safety: all members may be called concurrently.
/// Lifetime: `uaa` and `clock` must outlive it.
class STRATOS_EXPORT FakeCloudController {
 public:
  FakeCloudController(const Clock& clock, const FakeUaa& uaa,
                      FakeCloudControllerOptions options = {});
  ~FakeCloudController();
  FakeCloudController(const FakeCloudController&) = delete;
  FakeCloudController& operator=(const FakeCloudController&) = delete;

  [[nodiscard]] FakeUpstream& server() noexcept;
  [[nodiscard]] const std::string& url() const noexcept;

  void setV2(bool on);
  void setRootDocument(bool on);
  /// Requests refused because of their token.
  [[nodiscard]] std::uint64_t unauthorizedCount() const;
  [[nodiscard]] std::size_t appCount() const;
  /// The GUID of the app that was generated as number `index`, from 0.
  [[nodiscard]] std::string appGuid(std::size_t index) const;
  /// The next job that is begun fails with that text, and changes nothing.
  void failNextJob(const std::string& detail);
  /// Lets an application log a line now. `text` is any bytes. Throws Error(NotFound).
  void addLog(const std::string& app, const std::string& text, bool isError = false,
              int instance = 0);
  [[nodiscard]] std::string organizationGuid(std::size_t index) const;
  /// The space `index` belongs to the organization `index` modulo 10.
  [[nodiscard]] std::string spaceGuid(std::size_t index) const;

  /// Gives a user a role; the types are those of v3 (`organization_manager`, `space_developer`, ...).
  void addRole(const std::string& type, const std::string& target, const std::string& user);
  [[nodiscard]] bool hasRole(const std::string& type, const std::string& target,
                             const std::string& user) const;
  /// Whether the Cloud Controller (not only the UAA) knows the user.
  [[nodiscard]] bool hasUser(const std::string& user) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stratos::testing
