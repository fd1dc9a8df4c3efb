// Several token providers, each with a database pool of its own as separate processes have, against
// a UAA over real sockets in its strictest mode: a refresh token works once.

#include <barrier>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "stratos/auth/token_provider.hpp"
#include "stratos/crypto/random.hpp"
#include "stratos/http/transport.hpp"
#include "stratos/store/schema.hpp"
#include "stratos/testing/capturing_log_sink.hpp"
#include "stratos/testing/fake_uaa.hpp"
#include "stratos/testing/manual_clock.hpp"
#include "stratos/testing/test_database.hpp"

namespace stratos::auth {
namespace {

using namespace std::chrono_literals;

constexpr int kReplicas = 4;
constexpr int kThreads = 4;
constexpr int kRounds = 12;

crypto::EncryptionKey key() {
  return crypto::EncryptionKey::fromHex(
      "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
}

/// What one process has.
struct Replica {
  Replica(const testing::TestDatabase& place, const Clock& clock, LogSink& log)
      : database(place.open({.maxConnections = kThreads})),
        tokens(*database, cipher, random),
        leases(*database),
        provider(tokens, &leases, uaa, clock, random, log, {.pollInterval = 2ms}) {}

  crypto::SystemRandom random;
  crypto::TokenCipher cipher{{key()}, crypto::CipherFormat::Gcm, random};
  std::unique_ptr<db::Database> database;
  store::SqlTokenStore tokens;
  store::SqlTokenLeaseStore leases;
  http::PooledTransport transport;
  UaaClient uaa{transport};
  TokenProvider provider;
};

class TokenBrokerTest : public ::testing::TestWithParam<db::Dialect> {
 protected:
  void SetUp() override {
    if (!testing::TestDatabase::isAvailable(GetParam())) {
      GTEST_SKIP() << testing::TestDatabase::skipReason();
    }
    place_ = std::make_unique<testing::TestDatabase>(GetParam());
    auto database = place_->open();
    store::migrateSchema(*database, log_);
    uaa_.addUser({.name = "ada", .password = "ada-pass", .scopes = {"cloud_controller.read"}});
    uaa_.addClient({.id = "cf", .secret = "", .grants = {"password", "refresh_token"}});
    uaa_.setRefreshMode(testing::RefreshMode::RotateOnce);
    for (int i = 0; i < kReplicas; ++i) {
      replicas_.push_back(std::make_unique<Replica>(*place_, clock_, log_));
    }
    endpoint_.id = EndpointId{"foundation"};
    endpoint_.tokenEndpoint = uaa_.url();
    endpoint_.clientId = "cf";
    connect();
  }

  void connect() {
    Replica& first = *replicas_.front();
    const GrantResult login =
        first.uaa.passwordGrant(uaaOf(endpoint_), "ada", Secret{"ada-pass"}, Deadline::after(30s));
    ASSERT_EQ(login.status, GrantStatus::Granted) << login.detail;
    store::TokenRecord token;
    token.owner = user_;
    token.endpoint = endpoint_.id;
    token.authToken = login.grant.accessToken;
    token.refreshToken = login.grant.refreshToken;
    token.expiry = expiryOf(login.grant, clock_.now());
    first.tokens.saveEndpointToken(token);
  }

  /// All threads of all replicas ask at the same moment; returns what they got.
  std::vector<TokenResult> askAtOnce() {
    std::vector<TokenResult> results(kReplicas * kThreads);
    std::barrier start(kReplicas * kThreads);
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < results.size(); ++i) {
      threads.emplace_back([&, i] {
        start.arrive_and_wait();
        results[i] = replicas_[i % kReplicas]->provider.get(user_, endpoint_, Deadline::after(60s));
      });
    }
    threads.clear();
    return results;
  }

  testing::ManualClock clock_;
  testing::CapturingLogSink log_;
  testing::FakeUaa uaa_{clock_};
  std::unique_ptr<testing::TestDatabase> place_;
  std::vector<std::unique_ptr<Replica>> replicas_;
  store::EndpointRecord endpoint_;
  const UserId user_{"user-1"};
};

INSTANTIATE_TEST_SUITE_P(Db, TokenBrokerTest,
                         ::testing::Values(db::Dialect::Sqlite, db::Dialect::PostgreSql),
                         [](const auto& param) {
                           return param.param == db::Dialect::Sqlite ? "Sqlite" : "PostgreSql";
                         });

TEST_P(TokenBrokerTest, RedeemsEachRefreshTokenOnceHoweverManyReplicasAsk) {
  for (int round = 1; round <= kRounds; ++round) {
    clock_.advance(601s);
    std::string access;
    for (const TokenResult& result : askAtOnce()) {
      ASSERT_TRUE(result.ok()) << "round " << round << ": " << result.reason;
      if (access.empty()) access = result.record.authToken.reveal();
      EXPECT_EQ(result.record.authToken.reveal(), access);
    }
    EXPECT_TRUE(uaa_.findAccessToken(access)) << "a token that the UAA knows";
    EXPECT_EQ(uaa_.counters().refreshes, static_cast<std::uint64_t>(round));
  }
  EXPECT_EQ(uaa_.counters().refusedRefreshes, 0U);
}

TEST_P(TokenBrokerTest, LosesNothingWhenTheUaaIsAwayInBetween) {
  for (const auto kind : {testing::FaultKind::CloseBeforeAnswer, testing::FaultKind::Reset,
                          testing::FaultKind::TooManyRequests, testing::FaultKind::HtmlPage}) {
    clock_.advance(601s);
    uaa_.server().addFault({.kind = kind, .times = -1});
    for (const TokenResult& result : askAtOnce()) {
      EXPECT_EQ(result.failure, TokenFailure::Unreachable) << result.reason;
    }
    uaa_.server().clearFaults();
    for (const TokenResult& result : askAtOnce()) EXPECT_TRUE(result.ok()) << result.reason;
  }
  EXPECT_EQ(uaa_.counters().refusedRefreshes, 0U);
}

}  // namespace
}  // namespace stratos::auth
