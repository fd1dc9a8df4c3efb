#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "json.hpp"
#include "log_cache.hpp"
#include "stratos/base/clock.hpp"
#include "stratos/testing/fake_uaa.hpp"

namespace stratos::testing {

/// An application as the Cloud Controller knows it.
struct CloudApp {
  std::string guid;
  std::string name = {};
  std::string space = {};
  std::string organization = {};
  bool started = false;
};

/// What becomes of applications when they run: processes and their instances, environment, audit
/// events, log lines. One thread at a time.
class CloudRuntime {
 public:
  using FindApp = std::function<std::optional<CloudApp>(const std::string& guid)>;
  /// `apiUrl` is asked for when an answer needs it.
  CloudRuntime(const Clock& clock, std::function<std::string()> apiUrl, FindApp findApp);

  /// The answer to a request of `caller`, or empty when the path is none of these.
  [[nodiscard]] std::optional<Reply> handle(const ReceivedRequest& request,
                                            const std::vector<std::string>& path,
                                            const UaaTokenInfo& caller);
  /// `GET /api/v1/read/{guid}`; whether the caller may is the caller's business.
  [[nodiscard]] Reply readLogs(const ReceivedRequest& request, const CloudApp& app);
  void addLog(const CloudApp& app, AppLine line);

  /// Before an application is started, stopped or restarted.
  void settle(const CloudApp& app);
  /// After `action` ("start", "update", "create", "delete-request", ...), with `app` as it is now.
  void note(const CloudApp& app, const std::string& action, const UaaTokenInfo& caller);
  [[nodiscard]] int instancesOf(const std::string& app) const { return processOf(app).instances; }

 private:
  /// The web process; its GUID is that of the application, as in Cloud Foundry.
  struct Process {
    int instances = 2;
    int memoryMb = 256;
    int diskMb = 1024;
    std::int64_t startedAt = 0;
  };
  struct Event {
    std::string guid;
    std::int64_t at = 0;
    std::string type;
    std::string actorGuid;
    std::string actorName;
    CloudApp target;
  };
  using Variables = std::map<std::string, std::string>;

  [[nodiscard]] Process processOf(const std::string& app) const;
  [[nodiscard]] AppAtWork atWork(const CloudApp& app) const;
  [[nodiscard]] std::int64_t now() const { return toUnixSeconds(clock_.now()); }
  [[nodiscard]] Json toJson(const CloudApp& app) const;
  [[nodiscard]] Json stats(const CloudApp& app) const;
  [[nodiscard]] Reply scale(const ReceivedRequest& request, const CloudApp& app,
                            const UaaTokenInfo& caller);
  [[nodiscard]] Reply environment(const ReceivedRequest& request, const CloudApp& app,
                                  const UaaTokenInfo& caller);
  [[nodiscard]] Reply allEnvironment(const CloudApp& app) const;
  [[nodiscard]] Reply listEvents(const ReceivedRequest& request) const;
  [[nodiscard]] std::optional<Reply> handleProcess(const ReceivedRequest& request,
                                                   const CloudApp& app,
                                                   const std::vector<std::string>& rest,
                                                   const UaaTokenInfo& caller);
  [[nodiscard]] Variables variablesOf(const std::string& app) const;

  const Clock& clock_;
  std::function<std::string()> apiUrl_;
  FindApp findApp_;
  std::int64_t bornAt_;
  std::map<std::string, Process> processes_;  ///< Those that were changed.
  std::map<std::string, Variables> variables_;
  std::deque<Event> events_;
  LogCache logs_;
};

}  // namespace stratos::testing
