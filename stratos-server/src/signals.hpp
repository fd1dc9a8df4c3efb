#pragma once

#include <stop_token>
#include <thread>

namespace stratos::server {

/// Turns SIGTERM and SIGINT into a stop request; a second one ends the process at once with
/// status 1. Make it before any other thread, so that all of them inherit the blocked signals.
class SignalWatcher {
 public:
  SignalWatcher();
  ~SignalWatcher();
  SignalWatcher(const SignalWatcher&) = delete;
  SignalWatcher& operator=(const SignalWatcher&) = delete;

  [[nodiscard]] std::stop_token stopToken() const noexcept { return stop_.get_token(); }

 private:
  void watch() noexcept;

  int wakeDescriptor_;
  int signalDescriptor_;
  std::stop_source stop_;
  std::thread thread_;
};

/// Blocks until `stop` is requested.
void waitForStop(const std::stop_token& stop);

}  // namespace stratos::server
