#include "stratos/proxy/circuit_breaker.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "stratos/testing/manual_clock.hpp"

namespace stratos::proxy {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

class CircuitBreakerTest : public ::testing::Test {
 protected:
  void fail(const EndpointId& endpoint, int times = 1) {
    for (int i = 0; i < times; ++i) {
      auto call = breaker_.tryBegin(endpoint, refusal_);
      ASSERT_TRUE(call.has_value()) << refusal_;
      call->failed("it hangs");
    }
  }
  [[nodiscard]] bool mayCall(const EndpointId& endpoint) {
    return breaker_.tryBegin(endpoint, refusal_).has_value();
  }

  stratos::testing::ManualClock clock_;
  CircuitBreaker breaker_{clock_,
                          {.failures = 3, .pause = 1s, .longestPause = 3s, .maxWaiting = 2}};
  std::string refusal_;
  const EndpointId bad_{"bad"};
  const EndpointId good_{"good"};
};

TEST_F(CircuitBreakerTest, LeavesAnEndpointAloneThatNeverAnswers) {
  fail(bad_, 2);
  EXPECT_FALSE(breaker_.outageOf(bad_).has_value());
  const TimePoint begin = clock_.now();
  clock_.advance(500ms);
  fail(bad_);
  EXPECT_FALSE(mayCall(bad_));
  EXPECT_THAT(refusal_, HasSubstr("does not answer; the next try is in 1 s"));
  ASSERT_TRUE(breaker_.outageOf(bad_).has_value());
  EXPECT_EQ(breaker_.outageOf(bad_)->since, begin);
  EXPECT_EQ(breaker_.outageOf(bad_)->reason, "it hangs");
  EXPECT_TRUE(mayCall(good_));
}

TEST_F(CircuitBreakerTest, OneAnswerForgivesAll) {
  fail(bad_, 2);
  breaker_.tryBegin(bad_, refusal_)->answered();
  fail(bad_, 2);
  EXPECT_TRUE(mayCall(bad_));
  fail(bad_);
  clock_.advance(1s);
  breaker_.tryBegin(bad_, refusal_)->answered();
  EXPECT_FALSE(breaker_.outageOf(bad_).has_value());
  fail(bad_, 2);
  EXPECT_TRUE(mayCall(bad_));
}

TEST_F(CircuitBreakerTest, TriesAgainWithOneCallAndGrowingPauses) {
  fail(bad_, 3);
  for (const auto pause : {1s, 2s, 3s, 3s}) {
    clock_.advance(pause - 1ms);
    EXPECT_FALSE(mayCall(bad_));
    clock_.advance(1ms);
    auto trial = breaker_.tryBegin(bad_, refusal_);
    ASSERT_TRUE(trial.has_value());
    EXPECT_FALSE(mayCall(bad_)) << "one at a time";
    trial->failed("it hangs");
  }
  // A trial that ends without a word, as when the browser goes, leaves the place to the next one.
  clock_.advance(3s);
  EXPECT_TRUE(mayCall(bad_));
  EXPECT_TRUE(mayCall(bad_));
}

TEST_F(CircuitBreakerTest, CallsFromBeforeTheOutageDoNotLengthenIt) {
  auto early = breaker_.tryBegin(bad_, refusal_);
  fail(bad_, 3);
  early->failed("it hangs");
  clock_.advance(1s);
  EXPECT_TRUE(mayCall(bad_));
}

TEST_F(CircuitBreakerTest, AClockThatIsSetBackLengthensNothing) {
  fail(bad_, 3);
  clock_.advance(-std::chrono::hours{1});
  EXPECT_FALSE(mayCall(bad_));
  EXPECT_THAT(refusal_, HasSubstr("in 1 s"));
  clock_.advance(999ms);
  EXPECT_FALSE(mayCall(bad_));
  clock_.advance(1ms);
  EXPECT_TRUE(mayCall(bad_));
}

TEST_F(CircuitBreakerTest, ATrialThatHangsKeepsTheOthersAwayForAPauseOnly) {
  CircuitBreaker breaker(clock_, {.failures = 1, .pause = 1s, .longestPause = 3s});
  breaker.tryBegin(bad_, refusal_)->failed("it hangs");
  clock_.advance(1s);
  auto first = breaker.tryBegin(bad_, refusal_);
  ASSERT_TRUE(first.has_value());
  clock_.advance(2s - 1ms);
  EXPECT_FALSE(breaker.tryBegin(bad_, refusal_).has_value());
  EXPECT_THAT(refusal_, HasSubstr("in 1 s"));
  clock_.advance(1ms);
  auto second = breaker.tryBegin(bad_, refusal_);
  ASSERT_TRUE(second.has_value());
  // Each of those that hang tells once more that the endpoint needs a pause, not a longer one.
  first->failed("it hangs");
  clock_.advance(3s);
  auto third = breaker.tryBegin(bad_, refusal_);
  ASSERT_TRUE(third.has_value());
  third->answered();
  EXPECT_FALSE(breaker.outageOf(bad_).has_value());
  second->failed("it hangs");
  EXPECT_TRUE(breaker.outageOf(bad_).has_value());
}

TEST_F(CircuitBreakerTest, LimitsHowManyWait) {
  auto first = breaker_.tryBegin(good_, refusal_);
  auto second = breaker_.tryBegin(good_, refusal_);
  EXPECT_FALSE(mayCall(good_));
  EXPECT_THAT(refusal_, HasSubstr("too many calls"));
  first->answered();
  EXPECT_TRUE(mayCall(good_));
}

TEST_F(CircuitBreakerTest, CountsRightWithManyThreads) {
  CircuitBreaker breaker(clock_, {.failures = 0, .maxWaiting = 4});
  std::atomic<int> now = 0;
  std::atomic<int> most = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        std::string refusal;
        for (int call = 0; call < 500; ++call) {
          auto begun = breaker.tryBegin(bad_, refusal);
          if (!begun) continue;
          const int running = ++now;
          for (int seen = most; seen < running && !most.compare_exchange_weak(seen, running);) {
          }
          --now;
          if (call % 2 == 0) begun->failed("it hangs");
        }
      });
    }
  }
  EXPECT_LE(most, 4);
  EXPECT_FALSE(breaker.outageOf(bad_).has_value()) << "0 failures means never";
  EXPECT_TRUE(breaker.tryBegin(bad_, refusal_).has_value());
}

}  // namespace
}  // namespace stratos::proxy
