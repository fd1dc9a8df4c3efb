#include <condition_variable>
#include <thread>

#include "stratos/base/annotations.hpp"
#include "stratos/base/error.hpp"
#include "stratos/store/cached_stores.hpp"

namespace stratos::store {

namespace {

/// As the triggers of own_migrations.cpp name it.
constexpr const char* kChannel = "stratos_changes";
constexpr std::chrono::seconds kRetryPause{1};
/// Nothing depends on it: a wait begins anew.
constexpr std::chrono::hours kLongWait{1};

}  // namespace

class ChangeListener::Impl {
 public:
  Impl(db::Database& database, CachedStores& stores, LogSink& log)
      : database_(database), stores_(stores), log_(log), thread_([this] { run(); }) {}

  ~Impl() {
    {
      const MutexLock lock(mutex_);
      stopping_ = true;
      if (listener_) listener_->interrupt();
    }
    changed_.notify_all();
    thread_.join();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

 private:
  void run() {
    bool isLost = false;
    while (!isStopping()) {
      std::string problem;
      try {
        if (!connect()) return;
        if (isLost) log(log_, LogLevel::Info, "changes by other processes are announced again");
        isLost = false;
        // What was announced while nobody listened is lost.
        stores_.clear();
        follow();
      } catch (const std::exception& error) {
        problem = error.what();
      }
      disconnect();
      if (problem.empty()) continue;  // Stopped.
      stores_.clear();
      // Once, not every second.
      if (!isLost) {
        log(log_, LogLevel::Warning,
            "changes by other processes are not announced and are seen a little later",
            {{"reason", problem}});
      }
      isLost = true;
      pause();
    }
  }

  /// False when this database announces nothing.
  bool connect() {
    auto listener = database_.listen(kChannel);
    if (!listener) {
      log(log_, LogLevel::Debug, "the database announces no changes");
      return false;
    }
    const MutexLock lock(mutex_);
    listener_ = std::move(listener);
    if (stopping_) listener_->interrupt();
    return true;
  }

  void follow() {
    while (!isStopping()) {
      // The pointer is changed by this thread only.
      for (const std::string& announcement : current().wait(kLongWait)) {
        stores_.apply(announcement);
      }
    }
  }

  db::Listener& current() {
    const MutexLock lock(mutex_);
    return *listener_;
  }
  void disconnect() {
    const MutexLock lock(mutex_);
    listener_.reset();
  }
  bool isStopping() {
    const MutexLock lock(mutex_);
    return stopping_;
  }
  void pause() {
    MutexLock lock(mutex_);
    const auto end = std::chrono::steady_clock::now() + kRetryPause;
    while (!stopping_ && changed_.wait_until(lock, end) != std::cv_status::timeout) {
    }
  }

  db::Database& database_;
  CachedStores& stores_;
  LogSink& log_;
  Mutex mutex_;
  std::condition_variable_any changed_;
  bool stopping_ STRATOS_GUARDED_BY(mutex_) = false;
  std::unique_ptr<db::Listener> listener_ STRATOS_GUARDED_BY(mutex_);
  std::thread thread_;  ///< Last: it uses the rest.
};

ChangeListener::ChangeListener(db::Database& database, CachedStores& stores, LogSink& log)
    : impl_(std::make_unique<Impl>(database, stores, log)) {}

ChangeListener::~ChangeListener() = default;

}  // namespace stratos::store
