#include "stratos/auth/login_throttle.hpp"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "stratos/store/schema.hpp"
#include "stratos/testing/manual_clock.hpp"
#include "stratos/testing/test_database.hpp"

namespace stratos::auth {
namespace {

using namespace std::chrono_literals;

class LoginThrottleTest : public ::testing::TestWithParam<db::Dialect> {
 protected:
  void SetUp() override {
    if (!testing::TestDatabase::isAvailable(GetParam())) {
      GTEST_SKIP() << testing::TestDatabase::skipReason();
    }
    place_ = std::make_unique<testing::TestDatabase>(GetParam());
    database_ = place_->open();
    store::migrateSchema(*database_, log_);
    store_ = std::make_unique<store::SignInFailureStore>(*database_);
    throttle_ = std::make_unique<LoginThrottle>(*store_, clock_);
  }
  /// Fails until there is a wait; returns how many attempts were let through.
  int attemptsUntilBlocked(const std::string& account, const std::string& address) {
    int count = 0;
    while (count < 1000 && throttle_->attempt(account, address).count() == 0) ++count;
    return count;
  }

  NullLogSink log_;
  testing::ManualClock clock_;
  std::unique_ptr<testing::TestDatabase> place_;
  std::unique_ptr<db::Database> database_;
  std::unique_ptr<store::SignInFailureStore> store_;
  std::unique_ptr<LoginThrottle> throttle_;
};

INSTANTIATE_TEST_SUITE_P(Db, LoginThrottleTest,
                         ::testing::Values(db::Dialect::Sqlite, db::Dialect::PostgreSql),
                         [](const auto& param) {
                           return param.param == db::Dialect::Sqlite ? "Sqlite" : "PostgreSql";
                         });

TEST_P(LoginThrottleTest, S11WaitsLongerAfterEachFailureUpToAnEnd) {
  EXPECT_EQ(attemptsUntilBlocked("ada", "192.0.2.1"), 5);
  std::chrono::seconds longest{0};
  for (int i = 0; i < 20; ++i) {
    const auto wait = throttle_->attempt("ada", "192.0.2.1");
    ASSERT_GT(wait.count(), 0);
    EXPECT_GE(wait, longest);
    longest = wait;
    clock_.advance(wait);
    EXPECT_EQ(throttle_->attempt("ada", "192.0.2.1").count(), 0);
  }
  EXPECT_EQ(longest, 15min);
  EXPECT_EQ(throttle_->attempt("ADA", "192.0.2.1"), 15min) << "the same account";
}

TEST_P(LoginThrottleTest, LeavesOthersAlone) {
  attemptsUntilBlocked("ada", "192.0.2.1");
  EXPECT_EQ(throttle_->attempt("ada", "192.0.2.2").count(), 0);
  EXPECT_EQ(throttle_->attempt("bob", "192.0.2.1").count(), 0);
}

TEST_P(LoginThrottleTest, ForgetsAfterSuccessAndAfterADay) {
  for (int i = 0; i < 4; ++i) (void)throttle_->attempt("ada", "192.0.2.1");
  throttle_->succeeded("ada", "192.0.2.1");
  EXPECT_EQ(attemptsUntilBlocked("ada", "192.0.2.1"), 5);
  clock_.advance(24h);
  EXPECT_EQ(attemptsUntilBlocked("ada", "192.0.2.1"), 5);
}

TEST_P(LoginThrottleTest, AnUndecidedAttemptCountsForNothing) {
  for (int i = 0; i < 50; ++i) {
    ASSERT_EQ(throttle_->attempt("ada", "192.0.2.1").count(), 0);
    throttle_->undecided("ada", "192.0.2.1");
  }
}

TEST_P(LoginThrottleTest, S11OneAddressCannotTryManyAccounts) {
  int count = 0;
  const auto name = [&] { return "user-" + std::to_string(count); };
  while (count < 1000 && throttle_->attempt(name(), "192.0.2.1").count() == 0) ++count;
  EXPECT_EQ(count, 50);
  EXPECT_EQ(throttle_->attempt("somebody", "192.0.2.2").count(), 0);
}

TEST_P(LoginThrottleTest, S11ANetworkOfIpv6IsOneAddress) {
  int count = 0;
  const auto address = [&] { return "2001:db8::" + std::to_string(count); };
  while (count < 1000 && throttle_->attempt("ada", address()).count() == 0) ++count;
  EXPECT_EQ(count, 5);
  EXPECT_EQ(throttle_->attempt("ada", "2001:db8:0:1::1").count(), 0);
  attemptsUntilBlocked("bob", "192.0.2.9");
  EXPECT_GT(throttle_->attempt("bob", "::ffff:192.0.2.9").count(), 0);
}

TEST_P(LoginThrottleTest, S11NobodyLocksAnotherOut) {
  throttle_->succeeded("ada", "198.51.100.7");  // Her own address.
  int count = 0;
  const auto botnet = [&] { return "203.0.113." + std::to_string(count % 250); };
  while (count < 1000 && throttle_->attempt("ada", botnet()).count() == 0) ++count;
  EXPECT_EQ(count, 100);
  EXPECT_LE(throttle_->attempt("ada", "192.0.2.200"), 60s) << "a new address waits a minute";
  EXPECT_EQ(throttle_->attempt("ada", "198.51.100.7").count(), 0);
}

TEST_P(LoginThrottleTest, S11NobodyLocksOutWhoSharesAnAddress) {
  ASSERT_EQ(throttle_->attempt("ada", "192.0.2.1").count(), 0);
  throttle_->succeeded("ada", "192.0.2.1");
  int count = 0;
  const auto name = [&] { return "user-" + std::to_string(count); };
  while (count < 1000 && throttle_->attempt(name(), "192.0.2.1").count() == 0) ++count;
  EXPECT_EQ(count, 50) << "her success took its own attempt back and no other";
  EXPECT_GT(throttle_->attempt("bob", "192.0.2.1").count(), 0);
  EXPECT_EQ(throttle_->attempt("ada", "192.0.2.1").count(), 0);
  throttle_->succeeded("ada", "192.0.2.1");
  EXPECT_GT(throttle_->attempt("bob", "192.0.2.1").count(), 0) << "she opens it for nobody";
}

TEST_P(LoginThrottleTest, S11CountsParallelGuessesOfAllReplicas) {
  std::atomic<int> let = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        const auto pool = place_->open();
        store::SignInFailureStore store(*pool);
        LoginThrottle replica(store, clock_);
        for (int k = 0; k < 5; ++k) {
          if (replica.attempt("ada", "192.0.2.1").count() == 0) ++let;
        }
      });
    }
  }
  EXPECT_EQ(let, 5);
}

TEST_P(LoginThrottleTest, KeepsNoNamesAndForgetsWhatIsOld) {
  (void)throttle_->attempt("ada", "192.0.2.1");
  throttle_->succeeded("bob", "192.0.2.2");
  const auto rows = database_->connect().query("SELECT key_hash FROM stratos_sign_in_failures");
  EXPECT_GT(rows.size(), 3U);
  for (const auto& row : rows) EXPECT_EQ(row.text("key_hash").size(), 64U);
  clock_.advance(31 * 24h);
  throttle_->sweep();
  EXPECT_TRUE(database_->connect().query("SELECT key_hash FROM stratos_sign_in_failures").empty());
}

TEST_P(LoginThrottleTest, CanBeTurnedOff) {
  LoginThrottleOptions options;
  options.enabled = false;
  LoginThrottle off(*store_, clock_, options);
  for (int i = 0; i < 100; ++i) ASSERT_EQ(off.attempt("ada", "192.0.2.1").count(), 0);
}

}  // namespace
}  // namespace stratos::auth
