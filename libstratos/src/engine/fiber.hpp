#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include <boost/context/detail/fcontext.hpp>

#include "stratos/base/deadline.hpp"
#include "stratos/base/waiting.hpp"
#include "stratos/engine/event_loop.hpp"

namespace stratos::engine {

/// Address space with an unreadable page below it.
class Stack {
 public:
  Stack() = default;
  /// Throws Error(Unavailable) when there is none.
  explicit Stack(std::size_t bytes);
  ~Stack();
  Stack(Stack&& other) noexcept;
  Stack& operator=(Stack&& other) noexcept;

  [[nodiscard]] bool empty() const noexcept { return memory_ == nullptr; }
  /// The lowest usable byte.
  [[nodiscard]] std::byte* bottom() const noexcept;
  [[nodiscard]] std::size_t size() const noexcept;

 private:
  std::byte* memory_ = nullptr;
  std::size_t mapped_ = 0;
};

/// A place for one flow after another on one stack. It belongs to its loop, which never frees it
/// before its own end, so that whoever names an old flow does no harm.
class Fiber final : public Waiter {
 public:
  enum class State {
    Free,
    Ready,  ///< Has not begun.
    Running,
    Awaiting,  ///< A descriptor, until a deadline.
    Parked,    ///< An unpark(), until a deadline.
    Yielded,   ///< Its turn, when the others have had theirs.
    Blocked,   ///< Work on another thread; only its end counts.
  };

  explicit Fiber(EventLoop::Impl& loop) : loop_(loop) {}
  ~Fiber();

  [[nodiscard]] short awaitReady(const Waitable& file, short events, Deadline deadline) override;
  [[nodiscard]] bool mayHaveInput(const Waitable& file) const noexcept override;
  [[nodiscard]] const void* loop() const noexcept override { return &loop_; }
  void runBlocking(const std::function<void()>& work, BlocksOn what) override;
  void start(std::function<void()> task, Bond bond) override;
  [[nodiscard]] bool park(Deadline deadline) override;
  void unpark() noexcept override;
  void yield() override;

  /// Runs the flow until it waits or ends. On the loop's thread, in no fiber.
  void resume();
  /// Gives the place a new flow.
  void prepare(std::function<void()> body, std::size_t stackBytes);
  /// Ends what runs on the stack and frees it. Only when Free.
  void dropStack();

  State state = State::Free;
  std::uint64_t generation = 0;
  bool cancelled = false;
  Deadline deadline = Deadline::never();
  /// The earliest entry of this place among the loop's timers.
  Deadline::Steady::time_point armedFor = Deadline::Steady::time_point::max();
  int descriptor = -1;
  short outcome = 0;
  std::vector<FiberId> bound;  ///< Cancelled with this one.

  [[nodiscard]] bool hasStack() const noexcept { return !stack_.empty(); }

 private:
  /// The exceptions that a flow handles are those of its thread (Itanium C++ ABI 2.2.2), so each
  /// flow takes its own along.
  struct Exceptions {
    void* caught = nullptr;
    unsigned int uncaught = 0;
  };

  static void main(boost::context::detail::transfer_t from);
  void suspend(State reason);
  void runFlows();
  void leave(bool forEver);
  void enter();
  static void swapExceptions(Exceptions& stored) noexcept;

  EventLoop::Impl& loop_;
  Stack stack_;
  // Boost's public classes switch stacks where the sanitizers cannot be told.
  boost::context::detail::fcontext_t here_ = nullptr;   ///< The flow, while it does not run.
  boost::context::detail::fcontext_t there_ = nullptr;  ///< The loop, while the flow runs.
  std::function<void()> body_;
  bool mustEnd_ = false;
  bool permit_ = false;
  Exceptions exceptions_;
  // For the sanitizers.
  void* fakeStack_ = nullptr;
  void* loopFakeStack_ = nullptr;
  const void* loopBottom_ = nullptr;
  std::size_t loopSize_ = 0;
  void* tsanFiber_ = nullptr;
  void* tsanLoop_ = nullptr;
};

}  // namespace stratos::engine
