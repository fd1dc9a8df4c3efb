#pragma once

#include <condition_variable>

#include "stratos/base/annotations.hpp"

namespace stratos::test {

/// Holds threads until it is opened, and tells how many have come.
class Gate {
 public:
  /// Waits until open() was called.
  void pass() {
    MutexLock lock(mutex_);
    ++arrived_;
    changed_.notify_all();
    while (!open_) changed_.wait(lock);
  }
  void open() {
    const MutexLock lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  /// Waits until `count` threads have called pass().
  void awaitArrivals(int count) {
    MutexLock lock(mutex_);
    while (arrived_ < count) changed_.wait(lock);
  }

 private:
  Mutex mutex_;
  std::condition_variable_any changed_;
  bool open_ STRATOS_GUARDED_BY(mutex_) = false;
  int arrived_ STRATOS_GUARDED_BY(mutex_) = 0;
};

/// Opens a gate when the scope ends, so that a failed assertion leaves no thread waiting.
class OpenAtExit {
 public:
  explicit OpenAtExit(Gate& gate) : gate_(gate) {}
  ~OpenAtExit() { gate_.open(); }
  OpenAtExit(const OpenAtExit&) = delete;
  OpenAtExit& operator=(const OpenAtExit&) = delete;

 private:
  Gate& gate_;
};

}  // namespace stratos::test
