#include "stratos/base/waiting.hpp"

#include <atomic>
#include <cerrno>

#include <poll.h>

namespace stratos {

namespace {

thread_local Waiter* currentWaiter = nullptr;

short pollFor(int descriptor, short events, Deadline deadline) {
  for (;;) {
    pollfd entry{descriptor, events, 0};
    const int ready = ::poll(&entry, 1, static_cast<int>(deadline.remaining().count()));
    if (ready > 0) return entry.revents;
    // The read or write that follows says what is wrong.
    if (ready < 0 && errno != EINTR) return POLLERR;
    if (deadline.hasPassed()) return 0;
  }
}

}  // namespace

// Never inlined: a flow that was suspended meanwhile must not reuse an address of thread storage.
[[gnu::noinline]] Waiter* Waiter::current() noexcept { return currentWaiter; }
[[gnu::noinline]] void Waiter::setCurrent(Waiter* waiter) noexcept { currentWaiter = waiter; }

Waitable Waitable::numbered(int descriptor) noexcept {
  static std::atomic<std::uint64_t> last = 0;
  Waitable made(descriptor);
  made.number_ = last.fetch_add(1, std::memory_order_relaxed) + 1;
  return made;
}

short awaitReady(const Waitable& file, short events, Deadline deadline) {
  Waiter* const waiter = Waiter::current();
  return waiter != nullptr ? waiter->awaitReady(file, events, deadline)
                           : pollFor(file.descriptor(), events, deadline);
}

void yield() {
  if (Waiter* const waiter = Waiter::current(); waiter != nullptr) waiter->yield();
}

void Gate::open() {
  const MutexLock lock(mutex_);
  isOpen_ = true;
  // Under the lock: who waits leaves only with it, and is alive so long.
  for (Waiter* const waiter : parked_) waiter->unpark();
  parked_.clear();
  opened_.notify_all();
}

bool Gate::await(Deadline deadline) {
  MutexLock lock(mutex_);
  Waiter* const waiter = Waiter::current();
  if (waiter == nullptr) {
    while (!isOpen_) {
      if (deadline.isNever()) {
        opened_.wait(lock);
      } else if (opened_.wait_until(lock, deadline.at()) == std::cv_status::timeout) {
        return isOpen_;
      }
    }
    return true;
  }
  if (!isOpen_) parked_.push_back(waiter);
  while (!isOpen_) {
    lock.unlock();
    const bool goOn = waiter->park(deadline);
    lock.lock();
    if (!goOn && !isOpen_) {
      std::erase(parked_, waiter);
      return false;
    }
  }
  return true;
}

}  // namespace stratos
