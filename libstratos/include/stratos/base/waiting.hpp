#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "stratos/base/annotations.hpp"
#include "stratos/base/deadline.hpp"
#include "stratos/base/export.hpp"

namespace stratos {

/// What awaitReady() returns when nobody wants the outcome any more; no event of poll(2).
inline constexpr short kWaitCancelled = 0x4000;

/// What flows wait for: an open file, by its descriptor. A number that no other file of this process
/// has had lets an event loop watch it from one wait to the next, which saves a system call for
/// each; without one it is looked up anew every time.
class STRATOS_EXPORT Waitable {
 public:
  // NOLINTNEXTLINE(google-explicit-constructor): most files are waited for once.
  Waitable(int descriptor) noexcept : descriptor_(descriptor) {}
  /// With a new number. Make another one when the descriptor becomes that of another file.
  [[nodiscard]] static Waitable numbered(int descriptor) noexcept;

  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }
  [[nodiscard]] std::uint64_t number() const noexcept { return number_; }  ///< Zero for none.

 private:
  int descriptor_;
  std::uint64_t number_ = 0;
};

/// A flow of control that is not a thread: it shares its thread with others and must let go of it
/// whenever it waits. Library code that may wait asks the functions below, which work the same on a
/// plain thread, and never holds a lock meanwhile.
///
/// Thread safety: unpark() from any thread; the rest is for the flow itself.
class STRATOS_EXPORT Waiter {
 public:
  /// The flow that runs on this thread now; null on a plain thread.
  [[nodiscard]] static Waiter* current() noexcept;

  /// See stratos::awaitReady().
  [[nodiscard]] virtual short awaitReady(const Waitable& file, short events,
                                         Deadline deadline) = 0;
  /// Whether the file may have become readable, or have been closed by its peer, since it was last
  /// waited for. False only where the loop of this flow watches it and has heard nothing.
  [[nodiscard]] virtual bool mayHaveInput(const Waitable& file) const noexcept = 0;
  /// Tells the event loops of this process apart.
  [[nodiscard]] virtual const void* loop() const noexcept = 0;
  /// What work blocks on. The network may let it wait for long, the database of the program is
  /// near; a whole handler may do anything.
  enum class BlocksOn { Database, Network, Anything };
  /// Runs `work`, which must not throw, on a thread that may block, and waits for its end. Throws
  /// Error(Unavailable) when no thread can be had; `work` is then not run.
  virtual void runBlocking(const std::function<void()>& work, BlocksOn what) = 0;
  enum class Bond {
    None,
    EndsWithMe,  ///< Cancelled when this one is.
  };
  /// Runs `task`, which must not throw, as a flow of its own beside this one.
  virtual void start(std::function<void()> task, Bond bond = Bond::None) = 0;
  /// Waits for an unpark() since the last park(). May return early; false when `deadline` has
  /// passed or the flow was cancelled.
  [[nodiscard]] virtual bool park(Deadline deadline) = 0;
  virtual void unpark() noexcept = 0;
  /// See stratos::yield().
  virtual void yield() = 0;

 protected:
  Waiter() = default;
  ~Waiter() = default;
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;
  static void setCurrent(Waiter* waiter) noexcept;
};

/// Waits until `file` has one of `events` of poll(2), or an error, and returns what it has; 0 when
/// the deadline has passed; kWaitCancelled when the calling flow was cancelled. May return early.
/// One wait per file at a time.
[[nodiscard]] STRATOS_EXPORT short awaitReady(const Waitable& file, short events,
                                              Deadline deadline);

/// Lets the other flows of this thread run, and whoever waits for an event that has come. For work
/// that may go on for long without ever having to wait. On a plain thread it does nothing.
STRATOS_EXPORT void yield();

/// Calls `work`, which may block its thread, and returns or throws what it does. On a plain thread
/// that is all; another flow waits meanwhile, and throws Error(Unavailable) when all threads for
/// such work are taken. Work that waits for hosts out there says so: it has threads of its own, so
/// that a host that hangs keeps nobody from the database.
template <class Work>
std::invoke_result_t<Work&> runBlocking(Work&& work,
                                        Waiter::BlocksOn what = Waiter::BlocksOn::Database) {
  using Result = std::invoke_result_t<Work&>;
  Waiter* const waiter = Waiter::current();
  if (waiter == nullptr) return work();
  std::exception_ptr error;
  if constexpr (std::is_void_v<Result>) {
    waiter->runBlocking(
        [&]() noexcept {
          try {
            work();
          } catch (...) {
            error = std::current_exception();
          }
        },
        what);
    if (error) std::rethrow_exception(std::move(error));
  } else {
    std::optional<Result> result;
    waiter->runBlocking(
        [&]() noexcept {
          try {
            result.emplace(work());
          } catch (...) {
            error = std::current_exception();
          }
        },
        what);
    if (error) std::rethrow_exception(std::move(error));
    return std::move(*result);
  }
}

/// Opens once; threads and other flows wait for that. Thread safety: all members may be called
/// concurrently. Nobody may wait for it when it dies.
class STRATOS_EXPORT Gate {
 public:
  Gate() = default;
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  void open();
  /// Waits until it is open. False when `deadline` passed before, or the calling flow was
  /// cancelled.
  [[nodiscard]] bool await(Deadline deadline);

 private:
  Mutex mutex_;
  std::condition_variable_any opened_;
  std::vector<Waiter*> parked_ STRATOS_GUARDED_BY(mutex_);
  bool isOpen_ STRATOS_GUARDED_BY(mutex_) = false;
};

}  // namespace stratos
