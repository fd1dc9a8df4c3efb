#pragma once

#include <mutex>

/// Lock annotations that Clang checks with -Wthread-safety; empty elsewhere.
/// https://clang.llvm.org/docs/ThreadSafetyAnalysis.html
#if defined(__clang__)
#define STRATOS_THREAD_ATTRIBUTE(x) __attribute__((x))
#else
#define STRATOS_THREAD_ATTRIBUTE(x)
#endif
#define STRATOS_CAPABILITY(x) STRATOS_THREAD_ATTRIBUTE(capability(x))
#define STRATOS_SCOPED_CAPABILITY STRATOS_THREAD_ATTRIBUTE(scoped_lockable)
#define STRATOS_GUARDED_BY(x) STRATOS_THREAD_ATTRIBUTE(guarded_by(x))
#define STRATOS_REQUIRES(...) STRATOS_THREAD_ATTRIBUTE(requires_capability(__VA_ARGS__))
#define STRATOS_ACQUIRE(...) STRATOS_THREAD_ATTRIBUTE(acquire_capability(__VA_ARGS__))
#define STRATOS_RELEASE(...) STRATOS_THREAD_ATTRIBUTE(release_capability(__VA_ARGS__))
#define STRATOS_EXCLUDES(...) STRATOS_THREAD_ATTRIBUTE(locks_excluded(__VA_ARGS__))
/// For a function that a callback calls under a lock which the analysis cannot see through it.
#define STRATOS_NO_THREAD_SAFETY_ANALYSIS STRATOS_THREAD_ATTRIBUTE(no_thread_safety_analysis)

namespace stratos {

/// std::mutex that the thread safety analysis knows. Waits use std::condition_variable_any.
class STRATOS_CAPABILITY("mutex") Mutex {
 public:
  void lock() STRATOS_ACQUIRE() { mutex_.lock(); }
  void unlock() STRATOS_RELEASE() { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

/// Holds a Mutex for a scope; can be given to std::condition_variable_any::wait.
class STRATOS_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) STRATOS_ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~MutexLock() STRATOS_RELEASE() { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

  void lock() STRATOS_ACQUIRE() { mutex_.lock(); }
  void unlock() STRATOS_RELEASE() { mutex_.unlock(); }

 private:
  Mutex& mutex_;
};

}  // namespace stratos
