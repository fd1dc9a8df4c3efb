#pragma once

#include <chrono>
#include <condition_variable>
#include <exception>
#include <memory>
#include <string>

#include "stratos/base/annotations.hpp"
#include "stratos/base/clock.hpp"
#include "stratos/base/deadline.hpp"

namespace stratos::auth::detail {

struct DocumentLimits {
  std::chrono::seconds lifetime;  ///< Fetched anew when older.
  std::chrono::seconds pause;  ///< The least time between two fetches that nothing else asks for.
};

/// A document of a server that is kept: one fetch at a time, the others wait for it; what is old
/// serves on while the server is away. Safe from any thread.
template <class T>
class CachedDocument {
 public:
  struct Fetched {
    std::shared_ptr<const T> value;  ///< Null when it could not be had.
    std::string problem;
  };

  CachedDocument(const Clock& clock, DocumentLimits limits) : clock_(clock), limits_(limits) {}

  /// The document; fetched by `fetch() -> Fetched` when there is none or an old one. Null when
  /// there is none and it cannot be had before `deadline`.
  template <class Fetch>
  std::shared_ptr<const T> get(Deadline deadline, const Fetch& fetch) {
    MutexLock lock(mutex_);
    if (value_ && isWithin(fetchedAt_, limits_.lifetime)) return value_;
    if (!busy_ && isWithin(triedAt_, limits_.pause) && tried_) return value_;
    return update(lock, deadline, fetch);
  }

  /// A newer document than `seen`, if there is one; asks the server at most once per pause.
  template <class Fetch>
  std::shared_ptr<const T> getNewer(const std::shared_ptr<const T>& seen, Deadline deadline,
                                    const Fetch& fetch) {
    MutexLock lock(mutex_);
    if (value_ != seen) return value_;
    if (!busy_ && tried_ && isWithin(triedAt_, limits_.pause)) return value_;
    return update(lock, deadline, fetch);
  }

  /// Why the last fetch failed; empty when it did not.
  [[nodiscard]] std::string problem() const {
    MutexLock lock(mutex_);
    return problem_;
  }

 private:
  bool isWithin(TimePoint start, std::chrono::seconds span) const {
    const TimePoint now = clock_.now();
    return now >= start && now - start < span;  // A clock set back ends a pause.
  }

  template <class Fetch>
  std::shared_ptr<const T> update(MutexLock& lock, Deadline deadline, const Fetch& fetch)
      STRATOS_REQUIRES(mutex_) {
    if (busy_) {
      while (busy_) {
        if (deadline.isNever()) {
          idle_.wait(lock);
        } else if (idle_.wait_until(lock, deadline.at()) == std::cv_status::timeout) {
          break;
        }
      }
      return value_;
    }
    busy_ = true;
    tried_ = true;
    triedAt_ = clock_.now();
    Fetched fetched;
    std::exception_ptr error;
    mutex_.unlock();
    try {
      fetched = fetch();
    } catch (...) {
      error = std::current_exception();  // Rethrown once the others have been woken.
    }
    mutex_.lock();
    busy_ = false;
    if (fetched.value) {
      value_ = std::move(fetched.value);
      fetchedAt_ = clock_.now();
    }
    problem_ = std::move(fetched.problem);
    idle_.notify_all();
    if (error) std::rethrow_exception(error);
    return value_;
  }

  const Clock& clock_;
  const DocumentLimits limits_;
  mutable Mutex mutex_;
  std::condition_variable_any idle_;
  std::shared_ptr<const T> value_ STRATOS_GUARDED_BY(mutex_);
  TimePoint fetchedAt_ STRATOS_GUARDED_BY(mutex_){};
  TimePoint triedAt_ STRATOS_GUARDED_BY(mutex_){};
  bool tried_ STRATOS_GUARDED_BY(mutex_) = false;
  bool busy_ STRATOS_GUARDED_BY(mutex_) = false;
  std::string problem_ STRATOS_GUARDED_BY(mutex_);
};

}  // namespace stratos::auth::detail
