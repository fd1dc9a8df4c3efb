#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "stratos/base/annotations.hpp"
#include "stratos/base/clock.hpp"
#include "stratos/base/deadline.hpp"
#include "stratos/base/waiting.hpp"

namespace stratos::auth {

/// Each authorization server may be asked by so many at a time, and is left alone for a moment
/// after it let somebody wait in vain: one that hangs holds neither all threads nor everybody.
///
/// Thread safety: all members may be called concurrently. The clock must outlive it.
class RenewalPlaces {
 public:
  enum class Entry {
    Granted,  ///< leave() must follow.
    Hangs,    ///< The server has just let somebody wait in vain.
    Full,     ///< No place became free until the deadline.
    Gone,     ///< The caller was cancelled while it waited.
  };

  RenewalPlaces(const Clock& clock, std::size_t perServer)
      : clock_(clock), perServer_(std::max<std::size_t>(perServer, 1)) {}

  [[nodiscard]] Entry enter(const std::string& name, Deadline deadline) {
    const auto turn = std::make_shared<Turn>();
    {
      const MutexLock lock(mutex_);
      Server& server = servers_[name];
      if (isQuiet(server)) return Entry::Hangs;
      if (server.running < perServer_) {
        ++server.running;
        return Entry::Granted;
      }
      server.waiting.push_back(turn);
    }
    const bool called = turn->called.await(deadline);
    const MutexLock lock(mutex_);
    if (turn->granted) return Entry::Granted;
    if (called) return Entry::Hangs;
    std::erase(servers_[name].waiting, turn);
    return deadline.hasPassed() ? Entry::Full : Entry::Gone;
  }

  /// `inVain`: how long a call took that was not answered; zero otherwise.
  void leave(const std::string& name, std::chrono::milliseconds inVain) {
    std::vector<std::shared_ptr<Turn>> called;
    {
      const MutexLock lock(mutex_);
      Server& server = servers_[name];
      --server.running;
      if (inVain.count() > 0) server.quietUntil = clock_.now() + std::min(inVain, kLongestQuiet);
      if (isQuiet(server)) {
        called.assign(server.waiting.begin(), server.waiting.end());
        server.waiting.clear();
      } else if (!server.waiting.empty()) {
        called.push_back(std::move(server.waiting.front()));
        server.waiting.pop_front();
        called.back()->granted = true;
        ++server.running;
      } else if (server.running == 0) {
        servers_.erase(name);
      }
    }
    for (const auto& turn : called) turn->called.open();
  }

 private:
  static constexpr std::chrono::milliseconds kLongestQuiet{5'000};

  struct Turn {
    Gate called;
    bool granted = false;  ///< With the lock of all.
  };
  struct Server {
    std::size_t running = 0;
    std::deque<std::shared_ptr<Turn>> waiting;
    TimePoint quietUntil{};
  };

  bool isQuiet(const Server& server) const {
    // A clock that was set back ends it.
    const auto left = server.quietUntil - clock_.now();
    return left.count() > 0 && left <= kLongestQuiet;
  }

  const Clock& clock_;
  const std::size_t perServer_;
  Mutex mutex_;
  /// Those that are being asked, or were not long ago.
  std::map<std::string, Server> servers_ STRATOS_GUARDED_BY(mutex_);
};

}  // namespace stratos::auth
