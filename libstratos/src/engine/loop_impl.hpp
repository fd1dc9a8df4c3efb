#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <queue>
#include <vector>

#include "engine/fiber.hpp"
#include "stratos/base/annotations.hpp"
#include "stratos/engine/event_loop.hpp"

namespace stratos::engine {

class EventLoop::Impl {
 public:
  Impl(WorkerPool& blocking, EventLoopOptions options);
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void run();
  void stop();
  void post(std::function<void()> task);
  [[nodiscard]] std::size_t fibers() const noexcept { return active_; }
  FiberId spawn(std::function<void()> body);
  void cancel(FiberId id) noexcept;
  void cancelAll() noexcept;
  void watch(int descriptor, std::uint32_t events, Watch& watch);
  void unwatch(int descriptor) noexcept;
  void setTick(std::chrono::milliseconds interval, std::function<void()> tick);

  // What fibers need.
  void resume(Fiber& fiber);
  [[nodiscard]] WorkerPool& blocking(Waiter::BlocksOn what) noexcept {
    WorkerPool* const apart = what == Waiter::BlocksOn::Network    ? options_.network
                              : what == Waiter::BlocksOn::Anything ? options_.anything
                                                                   : nullptr;
    return apart != nullptr ? *apart : blocking_;
  }
  /// Has `fiber` resumed when the file has one of `events` of poll(2). What has happened on it
  /// already is returned instead.
  [[nodiscard]] short await(Fiber& fiber, const Waitable& file, short events);
  [[nodiscard]] bool mayHaveInput(const Waitable& file) const noexcept;
  /// Undoes await().
  void forget(Fiber& fiber) noexcept;
  /// Has `fiber` looked at when the deadline passes.
  void arm(Fiber& fiber, Deadline deadline);
  /// Has `fiber` resumed when what has happened by then has been seen to.
  void resumeLater(Fiber& fiber) { yielded_.push_back(&fiber); }

 private:
  using Steady = Deadline::Steady;

  /// Who wants to know about a descriptor. `turn` goes up with each of them, so that an event that
  /// was meant for an earlier one, or for an earlier file of that number, is told apart.
  struct Interest {
    Watch* watch = nullptr;
    Fiber* fiber = nullptr;
    short events = 0;
    std::uint32_t turn = 0;
    /// Of the Waitable that stays registered between its waits, or zero; and what has happened on
    /// it since somebody waited.
    std::uint64_t number = 0;
    std::uint32_t news = 0;
  };
  struct Timer {
    Steady::time_point at;
    Fiber* fiber = nullptr;
    friend bool operator>(const Timer& a, const Timer& b) noexcept { return a.at > b.at; }
  };

  [[nodiscard]] Interest& interestIn(int descriptor);
  void keepWatching(Interest& interest, const Waitable& file);
  void control(int operation, int descriptor, std::uint32_t events, std::uint32_t turn);
  void dispatch(int descriptor, std::uint32_t turn, std::uint32_t events);
  void retire(Fiber& fiber);
  [[nodiscard]] Fiber& takePlace();
  void runPosted();
  void runReady();
  void runTimers();
  [[nodiscard]] int timeoutMilliseconds() const;
  void wake() noexcept;

  WorkerPool& blocking_;
  const EventLoopOptions options_;
  const int epoll_;
  const int wake_;

  std::vector<Interest> interests_;  ///< By descriptor.
  std::vector<std::unique_ptr<Fiber>> places_;
  std::vector<Fiber*> free_;       ///< Places without a flow, with a stack.
  std::vector<Fiber*> stackless_;  ///< Places without either.
  std::vector<Fiber*> ready_;      ///< New flows that have not begun.
  std::vector<Fiber*> yielded_;    ///< Flows that could go on and let others run first.
  std::vector<Fiber*> turn_;       ///< Those of them whose turn is next.
  std::priority_queue<Timer, std::vector<Timer>, std::greater<>> timers_;
  std::atomic<std::size_t> active_ = 0;
  bool stopping_ = false;

  std::chrono::milliseconds tickInterval_{0};
  std::function<void()> tick_;
  Steady::time_point nextTick_ = Steady::time_point::max();

  Mutex mutex_;
  std::vector<std::function<void()>> posted_ STRATOS_GUARDED_BY(mutex_);
  std::vector<std::function<void()>> running_;  ///< Of posted_, for its memory.
};

}  // namespace stratos::engine
