#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <string_view>

#include "stratos/base/annotations.hpp"
#include "stratos/base/log.hpp"
#include "stratos/http/message.hpp"

namespace stratos::server {

/// Answers those who watch over the process and passes everything else on: GET /livez, 200 as long
/// as the process answers at all, and GET /readyz, 200 while it can serve, else 503 with the reason.
/// Neither needs a session, a Host that anybody knows or X-Forwarded-Proto, nor is logged as a
/// request. Thread safety: safe from any thread.
class HealthGate final : public http::Handler {
 public:
  /// Says in a few words, without details that strangers should not read, why the process cannot
  /// serve; empty when it can. May block; throws when it cannot find out.
  using Check = std::function<std::string()>;

  /// `inner` and `log` must outlive the gate.
  HealthGate(http::Handler& inner, Check check, LogSink& log);

  /// From now on /readyz answers 503: nothing new should come here.
  void drain() noexcept { draining_ = true; }

  /// Whether a request target is one of the two. They are answered on fibers, so that busy workers
  /// do not make the process look dead.
  [[nodiscard]] static bool isHealthTarget(std::string_view target) noexcept;

  [[nodiscard]] http::Response handle(http::Request& request) override;

 private:
  [[nodiscard]] std::string whyNotReady();
  /// Logs when readiness comes and goes, not each time that somebody asks.
  void note(const std::string& reason, const std::string& detail);

  http::Handler& inner_;
  const Check check_;
  LogSink& log_;
  std::atomic<bool> draining_ = false;
  Mutex mutex_;
  std::string lastReason_ STRATOS_GUARDED_BY(mutex_);
};

}  // namespace stratos::server
