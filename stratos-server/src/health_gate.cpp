#include "health_gate.hpp"

#include <exception>
#include <utility>

#include "stratos/base/waiting.hpp"

namespace stratos::server {
namespace {

constexpr std::string_view kLive = "/livez";
constexpr std::string_view kReady = "/readyz";

http::Response answer(int status, std::string text) {
  http::Response response = http::Response::text(status, std::move(text));
  response.headers.set("Cache-Control", "no-store");
  response.headers.set("X-Content-Type-Options", "nosniff");
  return response;
}

}  // namespace

HealthGate::HealthGate(http::Handler& inner, Check check, LogSink& log)
    : inner_(inner), check_(std::move(check)), log_(log) {}

bool HealthGate::isHealthTarget(std::string_view target) noexcept {
  const std::string_view path = target.substr(0, target.find('?'));
  return path == kLive || path == kReady;
}

http::Response HealthGate::handle(http::Request& request) {
  if (!isHealthTarget(request.target)) return inner_.handle(request);
  if (request.method != "GET" && request.method != "HEAD") {
    http::Response response = answer(405, "Method Not Allowed\n");
    response.headers.set("Allow", "GET, HEAD");
    return response;
  }
  if (request.rawPath() == kLive) return answer(200, "ok\n");
  const std::string reason = whyNotReady();
  return reason.empty() ? answer(200, "ok\n") : answer(503, "not ready: " + reason + "\n");
}

std::string HealthGate::whyNotReady() {
  if (draining_) return "shutting down";
  std::string reason;
  std::string detail;
  try {
    reason = runBlocking(check_);
  } catch (const std::exception& e) {
    reason = "the database cannot be asked";
    detail = e.what();
  }
  // It may have begun meanwhile.
  if (draining_) return "shutting down";
  note(reason, detail);
  return reason;
}

void HealthGate::note(const std::string& reason, const std::string& detail) {
  {
    const MutexLock lock(mutex_);
    if (lastReason_ == reason) return;
    lastReason_ = reason;
  }
  if (reason.empty()) {
    stratos::log(log_, LogLevel::Info, "ready again");
  } else {
    stratos::log(log_, LogLevel::Warning, "not ready", {{"reason", reason}, {"detail", detail}});
  }
}

}  // namespace stratos::server
