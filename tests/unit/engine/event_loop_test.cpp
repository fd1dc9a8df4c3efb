#include "stratos/engine/event_loop.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <future>
#include <latch>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stratos/base/error.hpp"
#include "stratos/base/waiting.hpp"

namespace stratos::engine {
namespace {

using std::chrono::milliseconds;

/// Two connected sockets that never block.
class SocketPair {
 public:
  SocketPair() {
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends_.data()) != 0) {
      throw std::runtime_error("socketpair");
    }
  }
  ~SocketPair() {
    for (const int end : ends_) {
      if (end >= 0) ::close(end);
    }
  }
  SocketPair(const SocketPair&) = delete;
  SocketPair& operator=(const SocketPair&) = delete;
  [[nodiscard]] int here() const { return ends_[0]; }
  [[nodiscard]] int there() const { return ends_[1]; }
  void send(std::string_view text) const {
    ASSERT_EQ(::send(ends_[1], text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }

 private:
  std::array<int, 2> ends_{-1, -1};
};

/// A loop on a thread of its own.
class EventLoopTest : public ::testing::Test {
 protected:
  explicit EventLoopTest(EventLoopOptions options = {}) : loop_(blocking_, options) {}
  ~EventLoopTest() override { join(); }

  void join() {
    if (!thread_.joinable()) return;
    loop_.stop();
    thread_.join();
  }
  /// Runs `body` as a fiber and waits for its end.
  void inFiber(std::function<void()> body) {
    std::promise<void> done;
    loop_.post([&] {
      loop_.spawn([&] {
        body();
        done.set_value();
      });
    });
    done.get_future().wait();
  }

  WorkerPool blocking_{2};
  EventLoop loop_;
  std::thread thread_{[this] { loop_.run(); }};
};

TEST_F(EventLoopTest, FibersWaitWithoutHoldingTheThread) {
  constexpr std::size_t kFibers = 500;
  std::vector<SocketPair> pairs(kFibers);
  std::atomic<std::size_t> waiting = 0;
  std::atomic<std::size_t> read = 0;
  std::latch all(kFibers);
  loop_.post([&] {
    for (const SocketPair& pair : pairs) {
      loop_.spawn([&] {
        ++waiting;
        EXPECT_EQ(awaitReady(pair.here(), POLLIN, Deadline::never()) & POLLIN, POLLIN);
        char byte = 0;
        read += static_cast<std::size_t>(::recv(pair.here(), &byte, 1, 0));
        all.count_down();
      });
    }
    EXPECT_EQ(waiting, kFibers);
    EXPECT_EQ(loop_.fibers(), kFibers);
  });
  for (const SocketPair& pair : pairs) pair.send("x");
  all.wait();
  EXPECT_EQ(read, kFibers);
}

TEST_F(EventLoopTest, AWaitEndsWithItsDeadline) {
  const SocketPair pair;
  inFiber([&] {
    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(awaitReady(pair.here(), POLLIN, Deadline::after(milliseconds{20})), 0);
    EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds{20});
    EXPECT_EQ(awaitReady(pair.here(), POLLIN, Deadline::after(milliseconds{0})), 0);
    // A long wait before a short one: the earlier deadline counts.
    pair.send("x");
    EXPECT_EQ(awaitReady(pair.here(), POLLIN, Deadline::after(std::chrono::hours{1})), POLLIN);
    char byte = 0;
    EXPECT_EQ(::recv(pair.here(), &byte, 1, 0), 1);
    EXPECT_EQ(awaitReady(pair.here(), POLLIN, Deadline::after(milliseconds{5})), 0);
  });
}

TEST_F(EventLoopTest, TellsWhatHappenedBetweenTwoWaits) {
  const SocketPair pair;
  inFiber([&] {
    const Waitable file = Waitable::numbered(pair.here());
    pair.send("x");
    EXPECT_NE(awaitReady(file, POLLIN, Deadline::never()) & POLLIN, 0);
    char byte = 0;
    EXPECT_EQ(::recv(pair.here(), &byte, 1, 0), 1);
    EXPECT_FALSE(Waiter::current()->mayHaveInput(file));
    EXPECT_EQ(awaitReady(file, POLLIN, Deadline::after(milliseconds{5})), 0);
    pair.send("y");
    // Another wait lets the loop hear of it while nobody waits for this file.
    const SocketPair other;
    EXPECT_EQ(awaitReady(other.here(), POLLIN, Deadline::after(milliseconds{5})), 0);
    EXPECT_TRUE(Waiter::current()->mayHaveInput(file));
    EXPECT_NE(awaitReady(file, POLLIN, Deadline::never()) & POLLIN, 0);
  });
}

TEST_F(EventLoopTest, ForgetsNoInputWhileAFlowWaitsForRoom) {
  const SocketPair pair;
  inFiber([&] {
    const Waitable file = Waitable::numbered(pair.here());
    pair.send("x");
    EXPECT_NE(awaitReady(file, POLLOUT, Deadline::never()) & POLLOUT, 0);
    EXPECT_NE(awaitReady(file, POLLIN, Deadline::never()) & POLLIN, 0);
  });
}

TEST_F(EventLoopTest, KnowsANewFileUnderAnOldDescriptor) {
  inFiber([] {
    for (int i = 0; i < 3; ++i) {
      const SocketPair pair;
      const Waitable file = Waitable::numbered(pair.here());
      EXPECT_TRUE(Waiter::current()->mayHaveInput(file));
      EXPECT_EQ(awaitReady(file, POLLIN, Deadline::after(milliseconds{2})), 0);
      pair.send("x");
      EXPECT_NE(awaitReady(file, POLLIN, Deadline::never()) & POLLIN, 0);
    }
    // Without a number, and with one again.
    const SocketPair pair;
    EXPECT_NE(awaitReady(pair.here(), POLLOUT, Deadline::never()) & POLLOUT, 0);
    const Waitable file = Waitable::numbered(pair.here());
    EXPECT_EQ(awaitReady(file, POLLIN, Deadline::after(milliseconds{2})), 0);
    EXPECT_EQ(awaitReady(pair.here(), POLLIN, Deadline::after(milliseconds{2})), 0);
    pair.send("x");
    EXPECT_NE(awaitReady(file, POLLIN, Deadline::never()) & POLLIN, 0);
  });
}

TEST_F(EventLoopTest, EndsWaitsForBrokenNumberedFiles) {
  inFiber([] {
    SocketPair pair;
    const Waitable file = Waitable::numbered(pair.here());
    EXPECT_NE(awaitReady(file, POLLOUT, Deadline::never()), 0);
    ::shutdown(pair.there(), SHUT_RDWR);
    for (int i = 0; i < 3; ++i) {
      EXPECT_NE(awaitReady(file, POLLIN, Deadline::never()) & POLLHUP, 0);
    }
    EXPECT_TRUE(Waiter::current()->mayHaveInput(file));
  });
}

TEST_F(EventLoopTest, EndsWaitsForBrokenDescriptors) {
  inFiber([] {
    SocketPair pair;
    ::shutdown(pair.there(), SHUT_RDWR);
    EXPECT_NE(awaitReady(pair.here(), POLLIN, Deadline::never()) & POLLHUP, 0);
    EXPECT_THROW(static_cast<void>(awaitReady(1 << 20, POLLIN, Deadline::never())), Error);
  });
}

TEST_F(EventLoopTest, ANewFileUnderAnOldNumberIsWaitedForAnew) {
  inFiber([] {
    int previous = -1;
    for (int i = 0; i < 3; ++i) {
      const SocketPair pair;
      if (i > 0) {
        EXPECT_EQ(pair.here(), previous);
      }
      previous = pair.here();
      pair.send("x");
      EXPECT_EQ(awaitReady(pair.here(), POLLIN, Deadline::after(std::chrono::seconds{60})), POLLIN);
    }
  });
}

TEST_F(EventLoopTest, OneFlowPerDescriptor) {
  const SocketPair pair;
  inFiber([&] {
    Gate started;
    Gate ended;
    Waiter::current()->start([&] {
      started.open();
      EXPECT_EQ(awaitReady(pair.here(), POLLIN, Deadline::never()), POLLIN);
      ended.open();
    });
    ASSERT_TRUE(started.await(Deadline::never()));
    EXPECT_THROW(static_cast<void>(awaitReady(pair.here(), POLLIN, Deadline::never())), Error);
    pair.send("x");
    EXPECT_TRUE(ended.await(Deadline::never()));
  });
}

TEST_F(EventLoopTest, CancellingEndsEveryWaitForDescriptors) {
  const SocketPair pair;
  std::promise<FiberId> id;
  std::promise<void> done;
  loop_.post([&] {
    id.set_value(loop_.spawn([&] {
      EXPECT_EQ(awaitReady(pair.here(), POLLIN, Deadline::never()), kWaitCancelled);
      EXPECT_EQ(awaitReady(pair.here(), POLLIN, Deadline::never()), kWaitCancelled);
      Gate gate;
      EXPECT_FALSE(gate.await(Deadline::never()));
      EXPECT_EQ(runBlocking([] { return 7; }), 7);
      done.set_value();
    }));
  });
  const FiberId fiber = id.get_future().get();
  loop_.post([&] { loop_.cancel(fiber); });
  done.get_future().wait();
  // The place has another flow now, which the old name does not mean.
  std::promise<void> second;
  loop_.post([&] {
    loop_.spawn([&] {
      EXPECT_EQ(awaitReady(pair.here(), POLLIN, Deadline::never()), POLLIN);
      second.set_value();
    });
    loop_.cancel(fiber);
    pair.send("x");
  });
  second.get_future().wait();
}

TEST_F(EventLoopTest, AFlowThatYieldsLetsEventsPostsAndTimersThrough) {
  const SocketPair pair;
  // On the loop's thread, like all that follows.
  bool event = false;
  bool posted = false;
  bool timer = false;
  bool other = false;
  loop_.post([&] {
    loop_.spawn([&] {
      event = awaitReady(pair.here(), POLLIN, Deadline::never()) == POLLIN;
      Waiter::current()->start([&] { other = true; });
    });
    loop_.spawn([&] {
      const SocketPair silent;
      timer = awaitReady(silent.here(), POLLIN, Deadline::after(milliseconds{1})) == 0;
    });
  });
  inFiber([&] {
    pair.send("x");
    loop_.post([&] { posted = true; });
    while (!event || !posted || !timer || !other) yield();
  });
  yield();  // Of a plain thread: nothing.
}

TEST_F(EventLoopTest, FlowsThatYieldTakeTurns) {
  std::string order;
  std::latch both(2);
  loop_.post([&] {
    for (const char name : {'a', 'b'}) {
      loop_.spawn([&, name] {
        for (int i = 0; i < 3; ++i) {
          order += name;
          yield();
        }
        both.count_down();
      });
    }
  });
  both.wait();
  EXPECT_EQ(order, "ababab");
}

TEST_F(EventLoopTest, AFlowIsCancelledWhileItYields) {
  const SocketPair pair;
  std::promise<short> outcome;
  loop_.post([&] {
    const FiberId fiber = loop_.spawn([&] {
      yield();
      outcome.set_value(awaitReady(pair.here(), POLLIN, Deadline::never()));
    });
    loop_.cancel(fiber);
  });
  EXPECT_EQ(outcome.get_future().get(), kWaitCancelled);
}

TEST_F(EventLoopTest, BlockingWorkRunsElsewhere) {
  std::latch release(1);
  std::promise<void> done;
  loop_.post([&] {
    loop_.spawn([&] {
      const auto loopThread = std::this_thread::get_id();
      const auto other = runBlocking([&] {
        EXPECT_EQ(Waiter::current(), nullptr);
        release.wait();
        return std::this_thread::get_id();
      });
      EXPECT_NE(other, loopThread);
      EXPECT_EQ(std::this_thread::get_id(), loopThread);
      EXPECT_THROW(runBlocking([] { throw Error(ErrorCode::NotFound, "not there"); }), Error);
      done.set_value();
    });
    loop_.spawn([&] { release.count_down(); });  // Runs meanwhile.
  });
  done.get_future().wait();
}

TEST_F(EventLoopTest, ExceptionsBelongToTheirFlow) {
  // Both flows wait while they handle an exception, and end in the other order.
  Gate first;
  Gate second;
  std::string seen;
  std::latch both(2);
  loop_.post([&] {
    loop_.spawn([&] {
      try {
        throw std::runtime_error("one");
      } catch (const std::exception& e) {
        EXPECT_TRUE(first.await(Deadline::never()));
        seen += e.what();
        try {
          throw;
        } catch (const std::runtime_error& again) {
          seen += again.what();
        }
      }
      both.count_down();
    });
    loop_.spawn([&] {
      try {
        throw std::logic_error("two");
      } catch (const std::logic_error& e) {
        first.open();
        EXPECT_TRUE(second.await(Deadline::never()));
        seen += e.what();
      }
      both.count_down();
    });
    loop_.spawn([&] { second.open(); });
  });
  both.wait();
  EXPECT_EQ(std::uncaught_exceptions(), 0);
  EXPECT_EQ(seen.size(), 9U) << seen;
}

TEST_F(EventLoopTest, GatesOpenForThreadsAndFibersAlike) {
  Gate gate;
  std::latch waiters(3);
  std::jthread thread([&] {
    EXPECT_TRUE(gate.await(Deadline::never()));
    waiters.count_down();
  });
  loop_.post([&] {
    for (int i = 0; i < 2; ++i) {
      loop_.spawn([&] {
        EXPECT_FALSE(gate.await(Deadline::after(milliseconds{5})));
        EXPECT_TRUE(gate.await(Deadline::after(std::chrono::seconds{60})));
        waiters.count_down();
      });
    }
    loop_.spawn([&] {
      const SocketPair never;
      EXPECT_EQ(awaitReady(never.here(), POLLIN, Deadline::after(milliseconds{20})), 0);
      runBlocking([&] { gate.open(); });
    });
  });
  waiters.wait();
  EXPECT_TRUE(gate.await(Deadline::after(milliseconds{0})));
}

TEST_F(EventLoopTest, WatchesSeeEdgesThatFibersWaitForToo) {
  class Counter final : public Watch {
   public:
    void onEvents(std::uint32_t events) override { seen |= events; }
    std::atomic<std::uint32_t> seen = 0;
  };
  Counter counter;
  const SocketPair pair;
  std::promise<void> done;
  loop_.post([&] {
    loop_.watch(pair.here(), EPOLLIN | EPOLLET | EPOLLRDHUP, counter);
    loop_.spawn([&] {
      for (int i = 0; i < 3; ++i) {
        char byte = 0;
        EXPECT_EQ(::recv(pair.here(), &byte, 1, 0), -1);
        Waiter::current()->start([&] { pair.send("x"); });
        EXPECT_EQ(awaitReady(pair.here(), POLLIN, Deadline::never()) & POLLIN, POLLIN);
        EXPECT_EQ(::recv(pair.here(), &byte, 1, 0), 1);
      }
      loop_.unwatch(pair.here());
      done.set_value();
    });
  });
  done.get_future().wait();
  EXPECT_NE(counter.seen & EPOLLIN, 0U);
}

TEST_F(EventLoopTest, StopsWhenTheLastFiberHasEnded) {
  std::atomic<int> ended = 0;
  Gate gate;
  loop_.post([&] {
    for (int i = 0; i < 3; ++i) {
      loop_.spawn([&] {
        EXPECT_TRUE(gate.await(Deadline::never()));
        ++ended;
      });
    }
  });
  loop_.stop();
  std::jthread opener([&] { gate.open(); });
  thread_.join();
  EXPECT_EQ(ended, 3);
}

class TickTest : public EventLoopTest {
 protected:
  TickTest() : EventLoopTest({.stackBytes = 64 * 1024, .keptStacks = 2}) {}
};

TEST_F(TickTest, TicksAndReusesAFewStacks) {
  std::latch ticks(3);
  loop_.post([&] {
    loop_.setTick(milliseconds{1}, [&] {
      if (!ticks.try_wait()) ticks.count_down();
    });
  });
  ticks.wait();
  inFiber([&] { loop_.setTick({}, nullptr); });
  for (int round = 0; round < 3; ++round) {
    std::latch all(20);
    Gate gate;
    loop_.post([&] {
      for (int i = 0; i < 20; ++i) {
        loop_.spawn([&] {
          EXPECT_TRUE(gate.await(Deadline::never()));
          all.count_down();
        });
      }
      loop_.spawn([&] { gate.open(); });
    });
    all.wait();
    // The last fiber may still be on its way out, with the gate in its hands.
    inFiber([] {});
  }
}

}  // namespace
}  // namespace stratos::engine
