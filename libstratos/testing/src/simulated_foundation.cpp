#include "stratos/testing/simulated_foundation.hpp"

#include <array>
#include <charconv>
#include <map>

#include "json.hpp"
#include "stratos/base/error.hpp"

namespace stratos::testing {
namespace {

constexpr std::array<std::pair<std::string_view, RefreshMode>, 4> kRefreshModes{{
    {"keep", RefreshMode::Keep},
    {"rotate", RefreshMode::Rotate},
    {"rotate-once", RefreshMode::RotateOnce},
    {"omit", RefreshMode::Omit},
}};

constexpr std::array<std::pair<std::string_view, FaultKind>, 14> kFaultKinds{{
    {"delay", FaultKind::Delay},
    {"hold", FaultKind::Hold},
    {"close-before-answer", FaultKind::CloseBeforeAnswer},
    {"close-after-handling", FaultKind::CloseAfterHandling},
    {"reset", FaultKind::Reset},
    {"cut-body", FaultKind::CutBody},
    {"broken-chunk", FaultKind::BrokenChunk},
    {"endless-headers", FaultKind::EndlessHeaders},
    {"html-page", FaultKind::HtmlPage},
    {"status", FaultKind::Status},
    {"too-many-requests", FaultKind::TooManyRequests},
    {"unauthorized", FaultKind::Unauthorized},
    {"hang", FaultKind::Hang},
    {"slow-drip", FaultKind::SlowDrip},
}};

template <class Table>
auto lookUp(const Table& table, std::string_view text, const std::string& what) {
  std::string known;
  for (const auto& [name, value] : table) {
    if (name == text) return value;
    known += (known.empty() ? "" : ", ") + std::string{name};
  }
  throw Error(ErrorCode::InvalidArgument,
              "unknown " + what + " '" + std::string{text} + "', known are " + known);
}

std::int64_t toNumber(const std::string& text, const std::string& name) {
  std::int64_t value = 0;
  const auto* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  if (text.empty() || parsed.ec != std::errc{} || parsed.ptr != end) {
    throw Error(ErrorCode::InvalidArgument, name + " must be a whole number");
  }
  return value;
}

/// The members of a control request.
class Members {
 public:
  explicit Members(const std::string& body)
      : values_(body.empty() ? std::map<std::string, std::string>{} : parseFlatObject(body)) {}

  [[nodiscard]] std::string text(const std::string& name, const std::string& fallback) const {
    const auto found = values_.find(name);
    return found == values_.end() ? fallback : found->second;
  }
  [[nodiscard]] std::int64_t number(const std::string& name, std::int64_t fallback) const {
    const auto found = values_.find(name);
    return found == values_.end() ? fallback : toNumber(found->second, name);
  }
  [[nodiscard]] bool flag(const std::string& name, bool fallback) const {
    return text(name, fallback ? "true" : "false") == "true";
  }

 private:
  std::map<std::string, std::string> values_;
};

FakeUpstreamOptions serverOptions(const SimulatedFoundationOptions& options, std::uint16_t port,
                                  const TestCertificates& certificates) {
  FakeUpstreamOptions server;
  server.host = options.host;
  server.port = port;
  if (options.tls) {
    server.tls = certificates.issueServer({options.host, "127.0.0.1", "localhost"});
  }
  return server;
}

FakeUaaOptions uaaOptions(const SimulatedFoundationOptions& options,
                          const TestCertificates& certificates) {
  FakeUaaOptions uaa;
  uaa.server = serverOptions(options, options.uaaPort, certificates);
  uaa.refreshMode = options.refreshMode;
  uaa.opaqueAccessTokens = options.opaqueAccessTokens;
  uaa.accessTokenValidity = options.accessTokenValidity;
  return uaa;
}

FakeCloudControllerOptions controllerOptions(const SimulatedFoundationOptions& options,
                                             const TestCertificates& certificates) {
  FakeCloudControllerOptions controller;
  controller.server = serverOptions(options, options.apiPort, certificates);
  controller.apps = options.apps;
  controller.v2 = options.v2;
  return controller;
}

FakeUpstreamOptions controlOptions(const SimulatedFoundationOptions& options) {
  FakeUpstreamOptions control;
  control.port = options.controlPort;  // loopback always: it can do everything
  return control;
}

}  // namespace

RefreshMode parseRefreshMode(std::string_view text) {
  return lookUp(kRefreshModes, text, "refresh mode");
}

FaultKind parseFaultKind(std::string_view text) { return lookUp(kFaultKinds, text, "fault kind"); }

class SimulatedFoundation::Impl {
 public:
  explicit Impl(const SimulatedFoundationOptions& options)
      : ownClock_(ManualClock::Mode::Running),
        clock_(options.clock != nullptr ? *options.clock : ownClock_),
        uaa_(clock_, uaaOptions(options, certificates_)),
        controller_(clock_, uaa_, controllerOptions(options, certificates_)),
        control_(controlOptions(options)) {
    uaa_.addUser({"admin",
                  "admin",
                  {"openid", "uaa.user", "cloud_controller.admin", "cloud_controller.read",
                   "cloud_controller.write", "password.write", "scim.read", "scim.write",
                   "doppler.firehose", "stratos.admin"}});
    uaa_.addUser({"user",
                  "user",
                  {"openid", "uaa.user", "cloud_controller.read", "cloud_controller.write",
                   "password.write"}});
    uaa_.addClient({"cf", "", {"password", "refresh_token", "authorization_code"}});
    uaa_.addClient({"console",
                    "consolesecret",
                    {"password", "refresh_token", "authorization_code", "client_credentials"}});
    control_.handle("/", [this](const ReceivedRequest& request) { return control(request); });
  }
  ~Impl() { control_.stop(); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  Reply control(const ReceivedRequest& request) {
    try {
      if (request.path() == "/sim/state" && request.method == "GET") return state();
      if (request.method == "POST" && apply(request.path(), Members(request.body))) {
        return jsonReply(200, R"({"ok":true})");
      }
      return jsonReply(404, R"({"error":"no such command"})");
    } catch (const Error& e) {
      return jsonReply(400, Json::object({{"error", e.what()}}).dump());
    }
  }

  bool apply(const std::string& path, const Members& members) {
    if (path == "/sim/clock") {
      clock_.advance(std::chrono::seconds{members.number("advanceSeconds", 0)});
    } else if (path == "/sim/fault") {
      addFault(members);
    } else if (path == "/sim/clear-faults") {
      uaa_.server().clearFaults();
      controller_.server().clearFaults();
    } else if (path == "/sim/release") {
      uaa_.server().release();
      controller_.server().release();
    } else if (path == "/sim/revoke-access-tokens") {
      uaa_.revokeAccessTokens();
    } else if (path == "/sim/revoke-refresh-tokens") {
      uaa_.revokeRefreshTokens();
    } else if (path == "/sim/expire-access-tokens") {
      uaa_.expireAccessTokens();
    } else if (path == "/sim/rotate-keys") {
      uaa_.rotateSigningKey(members.flag("keepOld", true));
    } else if (path == "/sim/refresh-mode") {
      uaa_.setRefreshMode(parseRefreshMode(members.text("mode", "")));
    } else if (path == "/sim/fail-next-job") {
      controller_.failNextJob(members.text("detail", "The job failed"));
    } else if (path == "/sim/log") {
      controller_.addLog(members.text("app", ""), members.text("text", ""),
                         members.text("stream", "out") == "err",
                         static_cast<int>(members.number("instance", 0)));
    } else if (path == "/sim/v2") {
      controller_.setV2(members.flag("enabled", true));
    } else {
      return false;
    }
    return true;
  }

  void addFault(const Members& members) {
    Fault fault;
    fault.kind = parseFaultKind(members.text("kind", "status"));
    fault.pathPrefix = members.text("pathPrefix", "/");
    fault.method = members.text("method", "");
    fault.times = static_cast<int>(members.number("times", 1));
    fault.delay = std::chrono::milliseconds{members.number("delayMs", 0)};
    fault.status = static_cast<int>(members.number("status", 500));
    fault.body = members.text("body", "");
    fault.contentType = members.text("contentType", "text/plain");
    fault.retryAfterSeconds = static_cast<int>(members.number("retryAfterSeconds", 1));
    fault.beforeBody = members.flag("beforeBody", false);
    const std::string server = members.text("server", "api");
    if (server != "api" && server != "uaa") {
      throw Error(ErrorCode::InvalidArgument, "server must be api or uaa");
    }
    (server == "api" ? controller_.server() : uaa_.server()).addFault(std::move(fault));
  }

  Reply state() {
    const UaaCounters counters = uaa_.counters();
    const auto traffic = [](FakeUpstream& server) {
      return Json::object({{"requests", server.requestCount()},
                           {"connections", server.connectionCount()},
                           {"openConnections", std::uint64_t{server.openConnections()}},
                           {"protocolErrors", server.protocolErrors()},
                           {"failedHandshakes", server.failedHandshakes()}});
    };
    return jsonReply(200, Json::object({{"api", controller_.url()},
                                        {"uaa", uaa_.url()},
                                        {"unixTime", toUnixSeconds(clock_.now())},
                                        {"logins", counters.logins},
                                        {"refusedLogins", counters.refusedLogins},
                                        {"refreshes", counters.refreshes},
                                        {"refusedRefreshes", counters.refusedRefreshes},
                                        {"refusedClients", counters.refusedClients},
                                        {"introspections", counters.introspections},
                                        {"keyFetches", counters.keyFetches},
                                        {"unauthorized", controller_.unauthorizedCount()},
                                        {"apps", std::uint64_t{controller_.appCount()}},
                                        {"apiTraffic", traffic(controller_.server())},
                                        {"uaaTraffic", traffic(uaa_.server())}})
                              .dump());
  }

  ManualClock ownClock_;
  ManualClock& clock_;
  TestCertificates certificates_;
  FakeUaa uaa_;
  FakeCloudController controller_;
  FakeUpstream control_;
};

SimulatedFoundation::SimulatedFoundation(SimulatedFoundationOptions options)
    : impl_(std::make_unique<Impl>(options)) {}
SimulatedFoundation::~SimulatedFoundation() = default;

FakeUaa& SimulatedFoundation::uaa() noexcept { return impl_->uaa_; }
FakeCloudController& SimulatedFoundation::cloudController() noexcept { return impl_->controller_; }
ManualClock& SimulatedFoundation::clock() noexcept { return impl_->clock_; }
const TestCertificates& SimulatedFoundation::certificates() const noexcept {
  return impl_->certificates_;
}
const std::string& SimulatedFoundation::apiUrl() const noexcept { return impl_->controller_.url(); }
const std::string& SimulatedFoundation::uaaUrl() const noexcept { return impl_->uaa_.url(); }
const std::string& SimulatedFoundation::controlUrl() const noexcept {
  return impl_->control_.url();
}

}  // namespace stratos::testing
