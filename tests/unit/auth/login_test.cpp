#include "stratos/auth/login_service.hpp"

#include <gtest/gtest.h>

#include "stratos/base/error.hpp"
#include "stratos/testing/capturing_log_sink.hpp"
#include "stratos/testing/manual_clock.hpp"
#include "support/scripted_transport.hpp"
#include "support/sql_stores.hpp"

namespace stratos::auth {
namespace {

using test::jwt;
using test::reply;
using test::ScriptedTransport;
using test::SentRequest;

const Deadline kSoon = Deadline::after(std::chrono::seconds{30});

class LocalLoginTest : public ::testing::Test {
 protected:
  LocalLogin make(const std::string& userScope, const std::string& adminScope) {
    return {sql_.users,
            clock_,
            sql_.random,
            log_,
            {.userScope = userScope, .adminScope = adminScope, .hashCost = 4}};
  }
  testing::ManualClock clock_;
  testing::CapturingLogSink log_;
  test::SqlStores sql_;
};

TEST_F(LocalLoginTest, SignsTheInitialUserIn) {
  LocalLogin login = make("stratos.admin", "stratos.admin");
  EXPECT_TRUE(login.createInitialUser("ann", Secret{"pw"}));
  const LoginResult result = login.login("ann", Secret{"pw"}, kSoon);
  ASSERT_TRUE(result.accepted) << result.refusal;
  EXPECT_EQ(result.account, "ann");
  EXPECT_EQ(result.tokenExpiry, INT64_MAX);
  EXPECT_TRUE(result.admin);
  EXPECT_TRUE(login.verify(result.user, result.tokenExpiry, kSoon).accepted);
  EXPECT_FALSE(login.verify(UserId{"nobody"}, 0, kSoon).accepted);
  const auto user = login.findUser(result.user);
  ASSERT_TRUE(user);
  EXPECT_TRUE(user->admin);
  EXPECT_TRUE(user->hasScope("password.write"));
  EXPECT_FALSE(login.findUser(UserId{"nobody"}));
}

TEST_F(LocalLoginTest, NeverChangesAnExistingUser) {
  LocalLogin login = make("stratos.admin", "stratos.admin");
  EXPECT_TRUE(login.createInitialUser("ann", Secret{"pw"}));
  EXPECT_FALSE(login.createInitialUser("ann", Secret{"other"}));
  EXPECT_TRUE(login.login("ann", Secret{"pw"}, kSoon).accepted);
  EXPECT_FALSE(login.login("ann", Secret{"other"}, kSoon).accepted);
}

TEST_F(LocalLoginTest, RefusesUnknownUsersAndWrongPasswordsWithTheSameText) {
  LocalLogin login = make("stratos.admin", "stratos.admin");
  login.createInitialUser("ann", Secret{"pw"});
  const LoginResult wrong = login.login("ann", Secret{"no"}, kSoon);
  const LoginResult unknown = login.login("bob", Secret{"no"}, kSoon);
  const LoginResult empty = login.login("", Secret{}, kSoon);
  EXPECT_FALSE(wrong.accepted || unknown.accepted || empty.accepted);
  EXPECT_EQ(wrong.refusal, unknown.refusal);
  EXPECT_EQ(wrong.refusal, empty.refusal);
}

TEST_F(LocalLoginTest, AdmitsOnlyUsersWithTheExactScope) {
  make("stratos.user", "stratos.admin").createInitialUser("ann", Secret{"pw"});
  LocalLogin asUser = make("stratos.user", "stratos.admin");
  EXPECT_TRUE(asUser.login("ann", Secret{"pw"}, kSoon).accepted);
  EXPECT_FALSE(asUser.login("ann", Secret{"pw"}, kSoon).admin);
  EXPECT_FALSE(make("stratos.use", "stratos.admin").login("ann", Secret{"pw"}, kSoon).accepted);
  EXPECT_FALSE(make("stratos.user2", "stratos.admin").login("ann", Secret{"pw"}, kSoon).accepted);
}

TEST_F(LocalLoginTest, RefusesAnEmptyAdministratorScope) {
  EXPECT_THROW(make("x", ""), Error);
  EXPECT_THROW(make("", ""), Error);
}

class UaaLoginTest : public ::testing::Test {
 protected:
  static UaaTarget target() {
    return {.baseUrl = "https://uaa.x",
            .clientId = "console",
            .clientSecret = Secret{"s"},
            .trust = {}};
  }
  std::int64_t now() const { return toUnixSeconds(clock_.now()); }
  std::string grantFor(const std::string& scopes, std::int64_t expiry) const {
    return R"({"access_token":")" +
           jwt(R"({"user_id":"g1","user_name":"ann","scope":)" + scopes + R"(,"exp":)" +
               std::to_string(expiry) + "}") +
           R"(","refresh_token":"r"})";
  }

  testing::ManualClock clock_;
  testing::CapturingLogSink log_;
  test::SqlStores sql_;
  ScriptedTransport network_{[](const SentRequest&) { return reply(500, ""); }};
  UaaClient uaa_{network_};
  TokenProvider provider_{sql_.tokens, nullptr, uaa_, clock_, sql_.random, log_};
  UaaLogin login_{uaa_, target(), sql_.tokens, provider_, clock_, "stratos.admin"};
};

TEST_F(UaaLoginTest, StoresTheTokenUnderTheUserItNames) {
  network_.answer([&](const SentRequest&) {
    return reply(200, grantFor(R"(["stratos.admin"])", now() + 600));
  });
  const LoginResult result = login_.login("ann", Secret{"pw"}, kSoon);
  ASSERT_TRUE(result.accepted);
  EXPECT_EQ(result.user.str(), "g1");
  EXPECT_EQ(result.account, "ann");
  EXPECT_EQ(result.tokenExpiry, now() + 600);
  EXPECT_TRUE(result.admin);
  EXPECT_EQ(sql_.tokens.findConsoleToken(UserId{"g1"})->refreshToken.reveal(), "r");
  EXPECT_TRUE(login_.findUser(UserId{"g1"})->admin);
}

TEST_F(UaaLoginTest, MakesNobodyAdministratorByASimilarScope) {
  network_.answer([&](const SentRequest&) {
    return reply(200, grantFor(R"(["stratos.administrator","stratos.","admin"])", now() + 600));
  });
  EXPECT_FALSE(login_.login("ann", Secret{"pw"}, kSoon).admin);
  EXPECT_FALSE(login_.findUser(UserId{"g1"})->admin);
}

TEST_F(UaaLoginTest, ShowsTheServersDescriptionOfARefusal) {
  network_.answer([](const SentRequest&) {
    return reply(401, R"({"error":"unauthorized","error_description":"Bad credentials"})");
  });
  const LoginResult result = login_.login("ann", Secret{"pw"}, kSoon);
  EXPECT_FALSE(result.accepted);
  EXPECT_EQ(result.refusal, "Bad credentials");
}

TEST_F(UaaLoginTest, RefusesMissingFieldsWithoutAskingTheServer) {
  EXPECT_FALSE(login_.login("", Secret{"pw"}, kSoon).accepted);
  EXPECT_FALSE(login_.login("ann", Secret{}, kSoon).accepted);
  EXPECT_EQ(network_.count(), 0U);
}

TEST_F(UaaLoginTest, ThrowsUnavailableWhenTheServerCannotDecide) {
  for (const auto& [status, body] :
       {std::pair{500, "x"}, std::pair{401, R"({"error":"invalid_client"})"},
        std::pair{200, R"({"access_token":"opaque"})"}}) {
    network_.answer(
        [status = status, body = body](const SentRequest&) { return reply(status, body); });
    try {
      (void)login_.login("ann", Secret{"pw"}, kSoon);
      ADD_FAILURE() << status;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::Unavailable);
    }
  }
}

TEST_F(UaaLoginTest, VerifyRenewsAStaleLoginAndOutlivesAnOutage) {
  network_.answer([&](const SentRequest&) { return reply(200, grantFor("[]", now() + 60)); });
  ASSERT_TRUE(login_.login("ann", Secret{"pw"}, kSoon).accepted);
  const std::int64_t oldExpiry = now() + 60;
  clock_.advance(std::chrono::seconds{120});
  network_.answer([](const SentRequest&) { return reply(503, ""); });
  VerifyResult verified = login_.verify(UserId{"g1"}, oldExpiry, kSoon);
  EXPECT_TRUE(verified.accepted);
  EXPECT_EQ(verified.tokenExpiry, oldExpiry);

  network_.answer([&](const SentRequest&) { return reply(200, grantFor("[]", now() + 700)); });
  verified = login_.verify(UserId{"g1"}, oldExpiry, kSoon);
  EXPECT_TRUE(verified.accepted);
  EXPECT_EQ(verified.tokenExpiry, now() + 700);
}

TEST_F(UaaLoginTest, VerifyRefusesWhenTheServerDoes) {
  network_.answer([&](const SentRequest&) { return reply(200, grantFor("[]", now() - 1)); });
  ASSERT_TRUE(login_.login("ann", Secret{"pw"}, kSoon).accepted);
  network_.answer([](const SentRequest&) { return reply(401, R"({"error":"invalid_token"})"); });
  EXPECT_FALSE(login_.verify(UserId{"g1"}, 0, kSoon).accepted);
  EXPECT_FALSE(login_.verify(UserId{"nobody"}, 0, kSoon).accepted);
}

TEST_F(UaaLoginTest, RefusesAConfigurationThatCannotWork) {
  EXPECT_THROW(UaaLogin(uaa_, target(), sql_.tokens, provider_, clock_, ""), Error);
  UaaTarget nowhere = target();
  nowhere.baseUrl = "uaa";
  EXPECT_THROW(UaaLogin(uaa_, nowhere, sql_.tokens, provider_, clock_, "a"), Error);
}

}  // namespace
}  // namespace stratos::auth
