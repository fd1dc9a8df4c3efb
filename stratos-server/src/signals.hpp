#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <thread>

namespace stratos::server {

/// Turns SIGTERM and SIGINT into a stop request; a second one ends the process at once with
/// status 1. SIGHUP wakes who waits for it. Make it before any other thread, so that all of them inherit the blocked signals.
class SignalWatcher {
 public:
  SignalWatcher();
  ~SignalWatcher();
  SignalWatcher(const SignalWatcher&) = delete;
  SignalWatcher& operator=(const SignalWatcher&) = delete;

  [[nodiscard]] std::stop_token stopToken() const noexcept { return stop_.get_token(); }
  /// Waits for a SIGHUP; one that came since the last call counts. False when `limit` has passed
  /// without any, or the stop of `stop` was requested. For one thread.
  [[nodiscard]] bool awaitHangUp(std::chrono::milliseconds limit, const std::stop_token& stop) const;

 private:
  void watch() noexcept;

  int wakeDescriptor_;
  int signalDescriptor_;
  std::stop_source stop_;
  mutable std::mutex mutex_;
  mutable std::condition_variable_any hungUp_;
  mutable bool isHungUp_ = false;
  std::thread thread_;
};

/// Blocks until `stop` is requested.
void waitForStop(const std::stop_token& stop);

}  // namespace stratos::server
