#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "stratos/base/export.hpp"

namespace stratos {

/// A bounded set of threads that run tasks in the order in which they were given.
///
/// Thread safety: all members may be called concurrently.
/// Lifetime: the destructor stops taking tasks, runs those already queued and joins the threads.
class STRATOS_EXPORT WorkerPool {
 public:
  /// `threads` are started when needed and kept; `queueLimit` tasks may wait.
  explicit WorkerPool(std::size_t threads, std::size_t queueLimit = 10'000);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  /// Queues `task`, which must not throw. False when the queue is full or the pool is stopping;
  /// `task` is then not run.
  [[nodiscard]] bool trySubmit(std::function<void()> task);

  [[nodiscard]] std::size_t busyThreads() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stratos
