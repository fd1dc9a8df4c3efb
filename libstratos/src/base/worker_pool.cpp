#include "stratos/base/worker_pool.hpp"

#include <condition_variable>
#include <deque>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "stratos/base/annotations.hpp"

namespace stratos {

class WorkerPool::Impl {
 public:
  Impl(std::size_t threads, std::size_t queueLimit)
      : threadLimit_(threads == 0 ? 1 : threads), queueLimit_(queueLimit) {}

  ~Impl() {
    std::vector<std::thread> threads;
    {
      MutexLock lock(mutex_);
      stopping_ = true;
      threads.swap(threads_);
    }
    wake_.notify_all();
    for (std::thread& thread : threads) thread.join();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  bool trySubmit(std::function<void()> task) {
    MutexLock lock(mutex_);
    if (stopping_) return false;
    // Queued tasks have claimed the idle threads, which may not have woken up yet.
    if (tasks_.size() >= idle_ && threads_.size() < threadLimit_ && !startThread()) return false;
    if (tasks_.size() >= queueLimit_ + idle_) return false;
    tasks_.push_back(std::move(task));
    wake_.notify_one();
    return true;
  }

  std::size_t busyThreads() const {
    MutexLock lock(mutex_);
    return busy_;
  }

 private:
  // False when the pool has no thread at all and the system gives none.
  bool startThread() STRATOS_REQUIRES(mutex_) {
    try {
      threads_.emplace_back([this] { run(); });
      ++idle_;
    } catch (const std::system_error&) {
      return !threads_.empty();
    }
    return true;
  }

  void run() noexcept {
    MutexLock lock(mutex_);
    for (;;) {
      while (tasks_.empty() && !stopping_) wake_.wait(mutex_);
      if (tasks_.empty()) return;
      std::function<void()> task = std::move(tasks_.front());
      tasks_.pop_front();
      --idle_;
      ++busy_;
      lock.unlock();
      task();
      task = nullptr;
      lock.lock();
      --busy_;
      ++idle_;
    }
  }

  const std::size_t threadLimit_;
  const std::size_t queueLimit_;
  mutable Mutex mutex_;
  std::condition_variable_any wake_;
  std::deque<std::function<void()>> tasks_ STRATOS_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_ STRATOS_GUARDED_BY(mutex_);
  std::size_t idle_ STRATOS_GUARDED_BY(mutex_) = 0;
  std::size_t busy_ STRATOS_GUARDED_BY(mutex_) = 0;
  bool stopping_ STRATOS_GUARDED_BY(mutex_) = false;
};

WorkerPool::WorkerPool(std::size_t threads, std::size_t queueLimit)
    : impl_(std::make_unique<Impl>(threads, queueLimit)) {}

WorkerPool::~WorkerPool() = default;

bool WorkerPool::trySubmit(std::function<void()> task) { return impl_->trySubmit(std::move(task)); }

std::size_t WorkerPool::busyThreads() const { return impl_->busyThreads(); }

}  // namespace stratos
