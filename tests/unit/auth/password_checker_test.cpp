#include "stratos/auth/password_checker.hpp"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "stratos/auth/login_service.hpp"
#include "stratos/base/error.hpp"
#include "stratos/crypto/password_hash.hpp"
#include "stratos/testing/capturing_log_sink.hpp"
#include "stratos/testing/manual_clock.hpp"
#include "support/gate.hpp"
#include "support/sql_stores.hpp"

namespace stratos::auth {
namespace {

const Deadline kSoon = Deadline::after(std::chrono::minutes{2});

/// Counts the work that is asked for, in units of a hash of cost 0, and does it.
PasswordCheckerOptions counting(std::int64_t& work) {
  PasswordCheckerOptions options;
  options.verify = [&work](const Secret& password, const std::string& hash) {
    work += std::int64_t{1} << PasswordChecker::costOf(hash);
    return crypto::verifyPassword(password, hash);
  };
  return options;
}

TEST(PasswordCheckerTest, ReadsTheCost) {
  const std::string rest(53, '.');
  EXPECT_EQ(PasswordChecker::costOf("$2a$12$" + rest), 12);
  EXPECT_EQ(PasswordChecker::costOf("$2b$04$" + rest), 4);
  for (const std::string& hash :
       {std::string{}, std::string{"$2a$12$"}, "$2a$12$" + rest + ".", "$1a$12$" + rest,
        "$2a$1x$" + rest, "$2a$/2$" + rest, "$2a212$" + rest}) {
    EXPECT_EQ(PasswordChecker::costOf(hash), 0) << hash;
  }
}

TEST(PasswordCheckerTest, S11DoesTheSameWorkForEverybody) {
  std::int64_t work = 0;
  PasswordChecker checker(counting(work));
  crypto::SystemRandom random;
  const std::string cheap = crypto::hashPassword(Secret{"right"}, random, 4);
  const std::string dear = crypto::hashPassword(Secret{"right"}, random, 7);
  const auto workOf = [&](const std::string& password, const std::string& hash) {
    work = 0;
    static_cast<void>(checker.matches(Secret{password}, hash, 7, kSoon));
    return work;
  };
  for (const std::string& hash : {cheap, dear, std::string{}, std::string{"no hash"}}) {
    for (const std::string& password : {std::string{"right"}, std::string{"wrong"}, std::string{},
                                        std::string(100, 'x'), std::string{"a\0b", 3}}) {
      EXPECT_EQ(workOf(password, hash), 128) << hash << " " << password;
    }
  }
  EXPECT_TRUE(checker.matches(Secret{"right"}, cheap, 7, kSoon));
  EXPECT_TRUE(checker.matches(Secret{"right"}, dear, 7, kSoon));
  EXPECT_TRUE(checker.matches(Secret{"right"}, dear, 4, kSoon));
  EXPECT_FALSE(checker.matches(Secret{"wrong"}, cheap, 7, kSoon));
}

TEST(PasswordCheckerTest, S11TheTimeOfALoginTellsNoNames) {
  std::int64_t work = 0;
  testing::ManualClock clock;
  testing::CapturingLogSink log;
  test::SqlStores sql;
  LocalLogin login(sql.users, clock, sql.random, log,
                   {.userScope = "stratos.user",
                    .adminScope = "stratos.admin",
                    .hashCost = 4,
                    .passwords = counting(work)});
  ASSERT_TRUE(login.createInitialUser("ours", Secret{"right"}));
  // As upstream made them: with a greater cost.
  store::LocalUser user = login.makeUser("upstreams", Secret{"right"});
  user.passwordHash = crypto::hashPassword(Secret{"right"}, sql.random, 6);
  ASSERT_TRUE(sql.users.insertIfAbsent(user));
  user = login.makeUser("unwanted", Secret{"right"});
  user.scope = "stratos.use";
  ASSERT_TRUE(sql.users.insertIfAbsent(user));

  const auto workOf = [&](const char* name, const std::string& password, bool accepted) {
    work = 0;
    EXPECT_EQ(login.login(name, Secret{password}, kSoon).accepted, accepted) << name;
    return work;
  };
  EXPECT_EQ(workOf("nobody", "right", false), 64) << "also at the first sign-in of all";
  EXPECT_EQ(workOf("ours", "wrong", false), 64);
  EXPECT_EQ(workOf("upstreams", "wrong", false), 64);
  EXPECT_EQ(workOf("ours", std::string(100, 'x'), false), 64);
  EXPECT_EQ(workOf("unwanted", "right", false), 64);
  EXPECT_EQ(workOf("ours", "right", true), 64);
  EXPECT_EQ(workOf("upstreams", "right", true), 64);
}

TEST(PasswordCheckerTest, S11AFloodWaitsForItsTurn) {
  test::Gate gate;
  PasswordCheckerOptions options;
  options.atOnce = 2;
  std::atomic<int> calls = 0;
  options.verify = [&](const Secret&, const std::string&) {
    if (++calls <= 2) gate.pass();
    return true;
  };
  PasswordChecker checker(std::move(options));
  const std::string hash = "$2a$04$" + std::string(53, '.');
  std::vector<std::jthread> busy;
  const test::OpenAtExit opener(gate);  // Before the threads are joined.
  for (int i = 0; i < 2; ++i) {
    busy.emplace_back(
        [&] { EXPECT_TRUE(checker.matches(Secret{"p"}, hash, 4, Deadline::never())); });
  }
  gate.awaitArrivals(2);
  try {
    static_cast<void>(
        checker.matches(Secret{"p"}, hash, 4, Deadline::after(std::chrono::milliseconds{1})));
    ADD_FAILURE() << "a third one was let in";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::Unavailable);
  }
  std::jthread waiting(
      [&] { EXPECT_TRUE(checker.matches(Secret{"p"}, hash, 4, Deadline::never())); });
  gate.open();
}

}  // namespace
}  // namespace stratos::auth
