#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "stratos/base/export.hpp"
#include "stratos/base/worker_pool.hpp"

namespace stratos::engine {

struct EventLoopOptions {
  /// Address space of a fiber's stack. What a fiber never touched costs no memory.
  std::size_t stackBytes = 256 * 1024;
  /// Stacks that are kept for the next fibers when nobody uses them.
  std::size_t keptStacks = 256;
  /// Runs what fibers give to runBlocking() and what waits for the network; null: as all the rest.
  /// Lives as long as the other one.
  WorkerPool* network = nullptr;
  /// The same for what may block on anything.
  WorkerPool* anything = nullptr;
};

class Fiber;

/// Names a fiber; names nothing any more when the fiber has ended.
struct FiberId {
  Fiber* fiber = nullptr;
  std::uint64_t generation = 0;
};

/// What happens on a descriptor that an EventLoop watches.
class STRATOS_EXPORT Watch {
 public:
  virtual ~Watch() = default;
  /// `events` of epoll(7). On the loop's thread, outside of all fibers.
  virtual void onEvents(std::uint32_t events) = 0;
};

/// One thread that runs many fibers and reacts to descriptors (epoll(7)).
///
/// A fiber is a Waiter: code in it is written as for a thread, and where it waits through
/// stratos/base/waiting.hpp, others run. It stays on its loop. A program has one loop per core.
///
/// Thread safety: post(), stop() and fibers() from any thread. Everything else belongs to the
/// loop's thread, before run() to the thread that sets it up.
/// Lifetime: `blocking` must outlive run(), and must have ended or be idle when the loop dies.
class STRATOS_EXPORT EventLoop {
 public:
  /// `blocking` runs what fibers give to runBlocking(). Throws Error(Internal) when the system has
  /// no descriptors left.
  explicit EventLoop(WorkerPool& blocking, EventLoopOptions options = {});
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  /// Runs on the calling thread until stop() was called and every fiber has ended.
  void run();
  void stop();
  /// Has the loop run `task`, which must neither throw nor wait.
  void post(std::function<void()> task);
  /// Fibers that have not ended.
  [[nodiscard]] std::size_t fibers() const noexcept;

  /// Starts a fiber with `body`, which must not throw. It runs at once until it waits for the first
  /// time; called within a fiber, as soon as that one waits. Throws Error(Unavailable) when there
  /// is no memory for a stack.
  FiberId spawn(std::function<void()> body);
  /// Ends the fiber's wait and all further ones, for descriptors with kWaitCancelled. Work on other
  /// threads is waited for. Outside of all fibers.
  void cancel(FiberId fiber) noexcept;
  void cancelAll() noexcept;

  /// Calls `watch` for `events` of epoll(7) on the descriptor until unwatch(), which must come
  /// before the descriptor is closed. With EPOLLET, fibers may wait for the same descriptor after a
  /// read or write that would have blocked.
  void watch(int descriptor, std::uint32_t events, Watch& watch);
  void unwatch(int descriptor) noexcept;

  /// Calls `tick` about every `interval`, as post() would.
  void setTick(std::chrono::milliseconds interval, std::function<void()> tick);

 private:
  friend class Fiber;
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stratos::engine
